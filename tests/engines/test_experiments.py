"""The experiments portability and update, for real: what must hold of what they saw. tests/guides has the others."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from infra import outputs
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.system.paths import CHECKOUT_ID
from tests.engines.real import LAB, ROOT, engine, pulumi, tool
from tests.engines.runs_read import repeats, verdicts

pytestmark = pytest.mark.engine

RUN_S = 1500
"""Bound of a quick run: minutes on an idle machine without KVM, beside other work far longer."""
SIDES = ("vm", "container")


@pytest.fixture(scope="module")
def run(lab: outputs.Contract) -> Run:
    """`./lab run deployment portability --quick`, as a person types it; what it left in its folder."""
    return quick("portability")


@pytest.fixture(scope="module")
def updated(lab: outputs.Contract) -> Run:
    """The same of the experiment update, which takes far longer: it is for --long."""
    return quick("update")


def quick(*names: str) -> Run:
    """`./lab run deployment NAMES --quick`, after which the lab is as it was."""
    told = tool("run", LAB, *names, "--quick", timeout_s=RUN_S).stdout
    assert_as_before()
    return run_folder.load(ROOT / told.strip().splitlines()[-1].removeprefix("Folder: "))


def assert_as_before() -> None:
    """The lab is in its steady state, Pulumi sees nothing to do, and nothing is left beside it, inside or out."""
    assert "✓" in tool("status", LAB).stdout
    assert "unchanged" in pulumi("preview", "--suppress-outputs", timeout_s=240).stdout
    labels = "label=vm-vs-container.checkout="
    checkout = engine("ps", "--format", "{{.Names}}", "--filter", f"{labels}{CHECKOUT_ID}").split()
    assert [name.rsplit("-deployment-", 1)[1] for name in checkout] == ["server-1"]
    volumes = engine("volume", "ls", "-q", "--filter", f"{labels}{CHECKOUT_ID}").split()
    assert not [name for name in volumes if "-deployment-server-2-" in name]
    inside = ["exec", checkout[0]]
    assert engine(*inside, "docker", "ps", "-a", "--format", "{{.Names}}") == "container-1"
    assert engine(*inside, "virsh", "--quiet", "list", "--all", "--name").split() == ["vm-1"]
    images = engine(*inside, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert sorted(image.split(":")[0] for image in images) == [
        "vm-vs-container/container-base",
        "vm-vs-container/service",
    ]
    assert not engine(*inside, "sh", "-c", "ls -d /tmp/vvc-* 2>/dev/null || true")


def test_it_runs_elsewhere_with_the_same_digest(run: Run) -> None:
    """Bytes were carried, both digests are equal, and a 200 came from there."""
    for side in SIDES:
        (one,) = repeats(run, "portability", side)
        assert one.values["moved_bytes"] > 2**20
        assert one.values["start_there_s"] > 0
        assert one.facts["same"] is True
        assert all(pair["first"] == pair["second"] != "" for pair in one.facts["digests"].values())
    deployment = verdicts(run, "Deployment")
    assert deployment["same-digest-runs-elsewhere"][0] == "holds"
    verdict, reason = deployment["moving-takes-more-bytes"]
    assert verdict == "not decidable here"
    assert "n too small" in reason


@pytest.mark.long
def test_an_update_loses_nothing_acknowledged(updated: Run) -> None:
    """Forward and back, in each of the four ways; every version answered, and writes were acknowledged meanwhile."""
    ways = [("vm", "in place"), ("vm", "replaced"), ("container", "replaced"), ("container", "start-first")]
    for side, way in ways:
        for one in repeats(updated, "update", side, way):
            ledger = one.facts["ledger"]
            assert ledger["acknowledged"] > 0
            assert (ledger["lost"], ledger["doubled"], ledger["changed"]) == ([], [], [])
            assert one.values["update_s"] > 0
            assert one.values["rollback_s"] > 0
    deployment = verdicts(updated, "Deployment")
    assert deployment["updates-lose-nothing-acknowledged"][0] == "holds"
    verdict, reason = deployment["replacing-interrupts-longer"]
    assert verdict == "not decidable here"
    assert ("EMULATED CPU" in reason) == (updated.accelerator == "tcg")


def test_what_an_emulated_cpu_cannot_show_is_not_said(run: Run) -> None:
    """How long the VM takes there is never confirmed."""
    verdict, reason = verdicts(run, "Deployment")["moves-slower"]
    assert verdict == "not decidable here"
    assert ("EMULATED CPU" in reason) == (run.accelerator == "tcg")


@pytest.mark.parametrize(
    ("experiment", "marker", "after_s"),
    [
        ("portability", "vm 1", 4),
        pytest.param("portability", "container 1", 6, marks=pytest.mark.long),
        pytest.param("resources", "vm replica 2", 8, marks=pytest.mark.long),
        pytest.param("update", "vm replaced 1", 25, marks=pytest.mark.long),
        pytest.param("update", "container start-first 1", 8, marks=pytest.mark.long),
    ],
)
def test_an_interrupted_experiment_leaves_the_lab_as_it_was(
    experiment: str, marker: str, after_s: float, lab: outputs.Contract
) -> None:
    """Ctrl-C in the middle of a turn: exit status 130, no second server, no further replica, nothing off."""
    told, status = interrupted(["run", LAB, experiment, "--quick"], marker, after_s)
    assert status == 130, told
    assert_as_before()


def interrupted(words: list[str], marker: str, after_s: float) -> tuple[str, int]:
    """./lab with these words; some seconds after a line with the marker it gets Ctrl-C. Its output, its status."""
    process: subprocess.Popen[str] = subprocess.Popen(
        [str(ROOT / "lab"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if marker in line:
                break
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=RUN_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return "".join(lines) + rest, process.returncode
