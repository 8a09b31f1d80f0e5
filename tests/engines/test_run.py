"""A real run of the lab: what it measures, what follows from it, and what must not follow once a fact is changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra import outputs
from labkit import labs, run_folder
from labkit.judge.model import Judgement
from labkit.judge.rows import judge
from labkit.records import Repeat, Run
from tests.engines.real import LAB, ROOT, pulumi, tool

pytestmark = pytest.mark.engine

RUN_S = 900
"""Bound of a quick run: on an idle machine it takes some three minutes, beside other work far longer."""


@pytest.fixture(scope="module")
def ran(lab: outputs.Contract) -> subprocess.CompletedProcess[str]:
    """`./lab run deployment size start --quick` as a person types it."""
    return tool("run", LAB, "size", "start", "--quick", timeout_s=RUN_S)


@pytest.fixture(scope="module")
def run(ran: subprocess.CompletedProcess[str]) -> Run:
    """What it left in its folder."""
    return run_folder.load(folder_of(ran))


def folder_of(ran: subprocess.CompletedProcess[str]) -> Path:
    """The folder that the report's last line names."""
    return ROOT / ran.stdout.strip().splitlines()[-1].removeprefix("Folder: ")


def rows(run: Run) -> dict[str, Any]:
    """The judged rows by name."""
    return {row.name: row for row in judge(run, labs.load(LAB).claims)}


def part(run: Run, claim: str) -> Judgement:
    """One judged claim."""
    judged = judge(run, labs.load(LAB).claims)
    return next(one for row in judged for one in row.parts if one.claim.name == claim)


def assert_steady() -> None:
    """Every replica answers, nothing is left of Pulumi's work, and Pulumi sees nothing to do."""
    assert "✓" in tool("status", LAB).stdout
    assert "unchanged" in pulumi("preview", "--suppress-outputs", timeout_s=240).stdout


def test_a_quick_run_ends_with_a_judged_report(ran: subprocess.CompletedProcess[str], run: Run) -> None:
    """Size by bytes; Speed is not decided where the CPU is emulated; stages, machine, folder."""
    size, speed = rows(run)["Size"], rows(run)["Speed"]
    assert size.verdict in ("holds", "does not hold")
    assert all(one.reason.startswith("counted exactly") for one in size.parts)
    assert speed.verdict == "not decidable here"
    for text in ("VMs vs Containers", "Figures", "Stage by stage", "first 200", "VM, packages only here"):
        assert text in ran.stdout
    emulated = run.accelerator == "tcg"
    assert ("EMULATED CPU (TCG): the VM's times and CPU are upper bounds." in ran.stdout) == emulated
    assert all(("EMULATED CPU" in one.reason) == emulated for one in speed.parts)
    assert_steady()


def test_a_run_has_every_repeat_with_its_conditions(run: Run, lab: outputs.Contract) -> None:
    """All actions on both sides; each side proves what it is; the same service, limits and storage."""
    start = run.experiment("start")
    assert start is not None
    assert not [one.problem for one in start.repeats if one.problem]
    for action in ("deploy", "start", "restore"):
        assert {side: len(start.of(side, action)) for side in ("vm", "container")} == {"vm": 2, "container": 2}
    for one in start.repeats:
        own = one.conditions
        assert (own["boot_id"] == own["server_boot_id"]) == (one.side == "container")
        assert (own["vcpus"], own["memory_mib"]) == (lab.vcpus, lab.memory_mib)
        assert own["service_version"] == lab.service_version
    assert len({one.conditions["storage"] for one in start.repeats}) == 1
    assert {"qemu", "libvirt", "server_engine", "server_debian", "pulumi", "base_image"} <= set(run.machine)


def test_the_second_replica_was_made_for_the_count(run: Run) -> None:
    """Its disk is that of a new replica, part by part; how old the lab is does not count."""
    size = run.experiment("size")
    assert size is not None
    for side in ("vm", "container"):
        (one,) = size.of(side)
        second = dict(one.facts["second_replica"])
        assert second.pop("replica") == f"{side}-2"
        assert second.pop("own_disk_bytes") == sum(second.values()) == one.values["second_replica_bytes"] > 0


def test_stages_sum_to_the_total_and_explain_it(run: Run) -> None:
    """Within 5 %; of a start each engine's own stages are there."""
    start = run.experiment("start")
    assert start is not None
    for one in start.repeats:
        assert sum(stage.s for stage in one.stages) == pytest.approx(one.values["ready_s"], rel=0.05)
        assert all(stage.source and stage.resolution_s > 0 for stage in one.stages)
    names = {
        side: {stage.name for one in start.of(side, "start") for stage in one.stages} for side in ("vm", "container")
    }
    assert {"libvirt makes QEMU's process", "kernel and initrd", "first 200"} <= names["vm"]
    assert {"engine makes the container's process", "first 200"} <= names["container"]


def test_the_report_can_be_had_again_and_as_json(ran: subprocess.CompletedProcess[str], run: Run) -> None:
    """The same words; the same verdicts."""
    again = tool("report", LAB, run.id)
    assert again.stdout == ran.stdout
    told = json.loads(tool("report", LAB, "--json").stdout)
    assert {row["name"]: row["verdict"] for row in told["rows"]} == {
        name: row.verdict for name, row in rows(run).items()
    }


def changed(run: Run, change: Callable[[Repeat], Repeat | None]) -> Run:
    """The same run with one fact changed in each repeat; None takes the repeat away."""
    experiments = tuple(
        replace(one, repeats=tuple(new for repeat in one.repeats if (new := change(repeat)) is not None))
        for one in run.experiments
    )
    return replace(run, experiments=experiments)


def condition(side: str, **values: str | float) -> Callable[[Repeat], Repeat]:
    """Other conditions on one side."""
    return lambda one: replace(one, conditions={**one.conditions, **values}) if one.side == side else one


def inside_the_vm(one: Repeat) -> Repeat:
    """The container answers with the guest's boot id."""
    guest = {"boot_id": "4632e10d-e59c-47f0-96a8-eee05a4300cb"}
    return replace(one, conditions={**one.conditions, **guest}) if one.side == "container" else one


def swapped(one: Repeat) -> Repeat:
    """Each side's numbers under the other's name."""
    return replace(one, side={"vm": "container", "container": "vm"}[one.side])


MUST_REFUSE: Mapping[str, tuple[Callable[[Repeat], Repeat | None], str, str]] = {
    "container measured inside the VM": (inside_the_vm, "not comparable", "boot id"),
    "different start lines": (condition("vm", start_line="the button"), "not comparable", "start line"),
    "one repeat only": (lambda one: one if one.number == 1 else None, "not decidable here", "n too small: 1 a side"),
    "closed-loop client": (condition("vm", client="closed loop"), "not comparable", "only an open loop counts"),
    "swapped columns": (swapped, "not comparable", "accelerator"),
    "other memory limit": (condition("container", memory_mib=1024), "not comparable", "the memory limit"),
    "other service version": (condition("vm", service_version="2"), "not comparable", "the service's version"),
    "cold against warm": (condition("vm", cache="cold"), "not comparable", "the caches"),
}


@pytest.mark.parametrize("claim", ["deploys-slower", "starts-slower"])
@pytest.mark.parametrize("case", MUST_REFUSE)
def test_a_real_run_with_one_fact_changed_is_refused(case: str, claim: str, run: Run) -> None:
    """With the reason; unchanged it is comparable."""
    change, verdict, reason = MUST_REFUSE[case]
    assert part(run, claim).verdict != "not comparable"
    judged = part(changed(run, change), claim)
    assert judged.verdict == verdict, judged
    assert reason in judged.reason


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """./lab with these words, in the background; it is gone at the end."""
    process = subprocess.Popen(
        [str(ROOT / "lab"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_an_interrupted_run_leaves_the_lab_steady_and_the_run_readable(run: Run) -> None:
    """In the middle of a deployment: exit status 130, the replica is back, the run says that it was interrupted."""
    with running("run", LAB, "start", "--quick") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "vm deploy" in line:
                break
        time.sleep(12)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=RUN_S)
    assert process.returncode == 130, told
    assert "Interrupted" in told
    assert_steady()
    left = run_folder.load(run_folder.find(LAB))
    assert left.id != run.id
    assert [(one.name, one.state) for one in left.experiments] == [("start", "interrupted")]


@pytest.mark.usefixtures("run")
def test_a_side_that_does_not_answer_is_named_and_nothing_is_measured(lab: outputs.Contract) -> None:
    """Exit status 1, no run folder; the lab is left as it was found."""
    container = lab.side("container")[0]
    before = run_folder.all_of(LAB)
    server = ["docker", "exec", lab.servers[0].container, "docker"]
    subprocess.run([*server, "stop", container.handle], check=True, timeout=60, capture_output=True)
    try:
        done = tool("run", LAB, "--quick", check=False)
    finally:
        subprocess.run([*server, "start", container.handle], check=True, timeout=60, capture_output=True)
    assert done.returncode == 1
    assert (
        f"The lab {LAB} is not in its steady state:\n  {container.name} at {container.url} does not answer"
        in done.stderr
    )
    assert f"Next: ./lab up {LAB}" in done.stderr
    assert run_folder.all_of(LAB) == before
