"""The report in the terminal and as JSON: what it says of a run, from the run alone."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from labkit.judge.rows import judge
from labkit.report import as_json, terminal
from labkit.runs.records import Repeat, Results, Run, Stage
from labkit.system.paths import CHECKOUT
from labs.deployment.size import CLAIMS as OF_SIZE
from labs.deployment.start import CLAIMS as OF_START
from tests.unit.lab_fakes import empty_run

CLAIMS = (*OF_SIZE, *OF_START)
CONDITIONS: dict[str, str | int | float] = {
    "service_version": "1",
    "service_commit": "abc",
    "vcpus": 1.0,
    "memory_mib": 512,
    "storage": "/dev/vda ext4",
    "client": "open loop",
    "cache": "warm",
    "start_line": "told to start",
    "finish_line": "first 200",
    "server_boot_id": "S",
}
OF_SIDE: dict[str, dict[str, str | int | float]] = {
    "vm": {"boot_id": "G", "accelerator": "tcg"},
    "container": {"boot_id": "S", "accelerator": "host"},
}


def run_of(accelerator: str = "tcg", n: int = 10, **changes: Any) -> Run:
    """A run with sizes and starts: the VM 10 s, the container 1 s, its image half as large."""
    sizes = [
        _repeat(
            "size", side, 1, accelerator, action="", values={"image_allocated_bytes": size * 2.0**20, "packages": size}
        )
        for side, size in (("vm", 200), ("container", 100))
    ]
    starts = [
        _repeat("start", side, number, accelerator, action="start", values={"ready_s": seconds + number / 100})
        for number in range(n + 1)
        for side, seconds in (("vm", 10.0), ("container", 1.0))
    ]
    experiments = (
        Results("size", "how large?", "complete", 5.0, tuple(sizes)),
        Results("start", "how long?", "complete", 90.0, tuple(starts)),
    )
    return empty_run(
        experiments=experiments,
        settings={"accelerator": accelerator},
        finished="2026-01-01T00:02:00+0000",
        predictions={"starts-slower": "vm", "image-takes-more-disk": "same"},
        **changes,
    )


def _repeat(
    experiment: str, side: str, number: int, accelerator: str, *, action: str, values: dict[str, float]
) -> Repeat:
    own = OF_SIDE[side]
    if own["accelerator"] == "tcg":
        own = {**own, "accelerator": accelerator}
    total = values.get("ready_s")
    stages = (
        (Stage("engine", total / 4, "inspect", 0.01), Stage("first 200", total * 3 / 4, "poll", 0.025)) if total else ()
    )
    facts = {"packages_only_here_bytes": {"systemd": 9 * 2**20}} if experiment == "size" and side == "vm" else {}
    return Repeat(
        experiment,
        side,
        number,
        0.0,
        values,
        action,
        stages,
        facts=facts,
        conditions={**CONDITIONS, **own},
    )


def text_of(run: Run) -> str:
    """The report as a pipe sees it, white space and lines of tables made one."""
    out = StringIO()
    console = Console(file=out, width=300, no_color=True)
    console.print(terminal.render(run, judge(run, CLAIMS), "runs/deployment/1"))
    return " ".join(out.getvalue().replace("\u00a0", " ").replace("─", " ").split())


SAID: dict[str, tuple[Run, list[str], list[str]]] = {
    "emulated": (
        run_of(),
        [
            "EMULATED CPU (TCG): the VM's times and CPU are upper bounds.",
            "Not decidable here: EMULATED CPU (TCG)",
            "Holds: counted exactly",
            "size image_allocated_bytes VM 200 MiB 200 MiB 200 MiB 1 2 exact container 100 MiB",
            "start start ready_s VM 10.1 s 10.0 s 10.1 s 10 9.53",
            "start start, VM engine 2.51 s 25% 10 inspect 10 ms first 200",
            "VM, packages only here: systemd 9 MiB",
            "Not measured in this run: Resource usage, Operating system,",
            "Folder: runs/deployment/1",
            "Again: ./lab run deployment size start",
        ],
        ["cut short"],
    ),
    "on KVM": (run_of("kvm"), ["Holds: the whole interval lies beyond 1.5"], ["EMULATED"]),
    "too few": (run_of("kvm", n=2), ["n too small: 2 a side, and a verdict needs 6"], []),
}


@pytest.mark.parametrize("case", SAID)
def test_the_terminal_says(case: str) -> None:
    """Banner, verdicts with reasons, figures with spread, stages, predictions, where it lies."""
    run, said, unsaid = SAID[case]
    text = text_of(run)
    for line in said:
        assert line in text, text
    for line in unsaid:
        assert line not in text, text


def test_a_run_that_was_cut_short_says_so() -> None:
    """And which repeats do not count, and why."""
    run = run_of()
    broken = Repeat("start", "vm", 11, 0.0, {}, "start", problem="vm-1 gave no 200 within 120 s.")
    cut = Results("start", "how long?", "interrupted", 9.0, (*run.experiments[1].repeats, broken))
    text = text_of(empty_run(experiments=(cut,)))
    assert "This run was cut short" in text
    assert "Experiment start: interrupted" in text
    assert "Not counted: start vm start 11: vm-1 gave no 200 within 120 s." in text


def test_predictions_stand_beside_what_came_out() -> None:
    """In the words in which one predicts."""
    text = text_of(run_of("kvm"))
    assert "Prediction and result" in text
    assert "vm, ratio 9.53" in text
    assert "vm, ratio 2" in text


def test_json_is_json_and_has_everything() -> None:
    """No NaN; verdicts, spreads, the run itself."""
    run = run_of()
    told = as_json.render(run, judge(run, CLAIMS), "runs/deployment/1")
    read = json.loads(json.dumps(told, allow_nan=False))
    rows = {row["name"]: row for row in read["rows"]}
    assert [part["verdict"] for part in rows["Speed"]["parts"] if part["claim"] == "starts-slower"] == [
        "not decidable here"
    ]
    assert read["run"]["id"] == run.id


def test_a_run_is_shown_without_what_makes_a_lab() -> None:
    """Pulumi takes a quarter of a second to load, which a report does not need."""
    script = "import labkit.commands.report, labkit.commands.report_html, sys; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, timeout=60, check=False).returncode == 0
