"""./lab watch on the real lab: both sides' streams, an outage that is one, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from infra import outputs
from tests.engines.real import LAB, ROOT, SHORT_S, inside, tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


def folders() -> list[str]:
    """What a watch left in the lab's folder."""
    return [path.name for path in (ROOT / ".state" / LAB).glob("watch-*")]


def test_both_sides_are_told_in_plain_lines(lab: outputs.Contract) -> None:
    """One line a side and second; who answers; status 0 as both do."""
    done = tool("watch", LAB, "--seconds", "5")
    for replica in lab.replicas:
        assert f"answers: {replica.name}" in done.stdout
    assert folders() == []


def test_a_restart_is_an_outage(lab: outputs.Contract) -> None:
    """Of the container's service: told while it lasts or afterwards; the other side is told apart."""
    (container,) = lab.side("container")
    restart = threading.Timer(4, inside, ("server-1", "docker", "restart", "--time", "1", container.handle))
    restart.start()
    try:
        done = tool("watch", LAB, "--seconds", "20")
    finally:
        restart.join(SHORT_S)
    last = [line for line in done.stdout.splitlines() if " container " in line][-1]
    assert "outage: none" not in last
    assert "answers: container-1" in last


def test_ctrl_c_ends_it_in_order(lab: outputs.Contract) -> None:
    """The last view is told, the probers end, their files go."""
    process = subprocess.Popen(
        [ROOT / "lab", "watch", LAB, "--plain"], cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")  # fmt: skip
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(4)]
    assert any("answers:" in line for line in first)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert folders() == []
