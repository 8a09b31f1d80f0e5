"""./lab capture on the real lab, on both sides, and the experiment *path* on what is there of its paths."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import answers, outputs
from labkit.lifecycle import set_up
from labkit.measure import pcap
from labkit.measure.experiment import Place, Turn
from labkit.runs.records import Arm
from labkit.sides import SIDES, reach
from labkit.system.progress import Quiet
from labkit.system.waiting import until
from labs.networking import path, path_claims
from labs.networking.arms import BRIDGED, PUBLISHED
from labs.networking.hops import REQUEST, Hop, of_facts
from tests.engines.real import LAB, ROOT, inside, tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

ETHERNET = 1
ASK_S = 20.0


def captures() -> list[str]:
    """What shows packets in the server."""
    return [line for line in inside("server-1", "ps", "-eo", "args=").splitlines() if line.startswith("tcpdump")]


@contextmanager
def capturing(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`./lab capture` as a person types it, which captures; it has ended at the end."""
    process = subprocess.Popen(
        [ROOT / "lab", "capture", "--lab", LAB, *words], cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")  # fmt: skip
    try:
        assert process.stderr is not None
        begun = process.stderr.readline()
        assert begun.startswith("Capturing "), begun + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("side", SIDES)
def test_packets_are_shown_until_ctrl_c(lab: outputs.Contract, side: str) -> None:
    """Those that the filter is about, as they pass; nothing runs in the server afterwards."""
    (replica,) = lab.side(side)
    with capturing(replica.name, "tcp", "port", "8000") as process:
        assert process.stdout is not None
        answers.whoami(replica.url, ASK_S)
        shown = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    for line, flags in zip(shown, ("[S]", "[S.]", "[.]", "[P.]"), strict=True):
        assert f"Flags {flags}" in line
    assert captures() == []


def test_a_file_is_written_that_can_be_opened(lab: outputs.Contract, tmp_path: Path) -> None:
    """It ends by itself after the time; another file of that name is not touched, a refused filter leaves none."""
    file = tmp_path / "x.pcap"
    (replica,) = lab.side("container")
    with capturing(replica.name, "--write", str(file), "--seconds", "4") as process:
        answers.whoami(replica.url, ASK_S)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    with file.open("rb") as source:
        link, packets = pcap.records(source)
    assert link == ETHERNET
    assert any(b"GET /whoami" in one.data for one in packets)
    assert f"Packets in {file}: {len(packets)}" in told
    again = tool("capture", "--lab", LAB, replica.name, "--write", str(file), check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is there already" in again.stderr
    refused = tool(
        "capture", "--lab", LAB, replica.name, "--write", str(tmp_path / "y"), "tcp", "prot", "80", check=False
    )
    assert refused.returncode == 1
    assert "can't parse filter expression" in refused.stderr
    assert not (tmp_path / "y").exists()


def test_a_replica_that_is_not_there_is_told(lab: outputs.Contract) -> None:
    """One that is meant otherwise; one that is paused, whose packets are nobody's."""
    wrong = tool("capture", "--lab", LAB, "contaner-1", check=False)
    assert wrong.returncode == 1
    assert "Did you mean container-1?" in wrong.stderr
    (replica,) = lab.side("container")
    inside("server-1", "docker", "pause", replica.handle)
    try:
        off = tool("capture", "--lab", LAB, replica.name, check=False)
    finally:
        inside("server-1", "docker", "unpause", replica.handle)
    assert off.returncode == 1
    assert f"{replica.name} is paused." in off.stderr


def test_a_kill_leaves_nothing(lab: outputs.Contract) -> None:
    """Whoever captured is killed: what ran in the server for it ends."""
    (replica,) = lab.side("vm")
    with capturing(replica.name) as process:
        assert len(captures()) == 1
        process.kill()
        process.wait()
        assert until(lambda: captures() == [], 20, 0.5)


@pytest.mark.parametrize(
    ("arm", "holds"),
    [(BRIDGED, path_claims._bridged), (PUBLISHED, path_claims._published)],
    ids=["bridged", "published"],
)
def test_a_request_is_followed_to_its_replica(
    lab: outputs.Contract, tmp_path: Path, arm: Arm, holds: Callable[[Sequence[Hop]], bool]
) -> None:
    """Through every interface, with what the claim of its path says; nothing runs in the server afterwards."""
    ready = set_up.need()
    place = Place(LAB, ready, lab, Quiet(), lambda server: reach.runner(server.reach), tmp_path)
    seen = path.measure(place, Turn(arm.side, 1, factors=arm.factors))
    assert holds(of_facts(seen.facts)[REQUEST]), seen.facts["path"]
    assert seen.values["to_replica_ms"] > 0
    assert captures() == []
