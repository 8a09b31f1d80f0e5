"""./lab watch on the real lab: both sides' streams, an outage that is one, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra import outputs
from tests.engines.real import LAB, ROOT, SHORT_S, inside, tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def folders() -> list[str]:
    """What a watch left in the lab's folder."""
    return [path.name for path in (ROOT / ".state" / LAB).glob("watch-*")]


def test_both_sides_are_told_in_plain_lines(lab: outputs.Contract) -> None:
    """One line a side and second; who answers; status 0 as both do."""
    done = tool("watch", LAB, "--seconds", "5")
    for replica in lab.replicas:
        assert f"answers: {replica.name}" in done.stdout
    assert folders() == []


@contextmanager
def watching() -> Iterator[subprocess.Popen[str]]:
    """`./lab watch`, until Ctrl-C; it is gone at the end."""
    with subprocess.Popen(
        [ROOT / "lab", "watch", LAB, "--plain"], cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> str:
    """What it tells after Ctrl-C, to its orderly end."""
    process.send_signal(signal.SIGINT)
    told, problem = process.communicate(timeout=SHORT_S)
    assert process.returncode == 0, problem
    return told


def test_a_restart_is_an_outage(lab: outputs.Contract) -> None:
    """Of the container's service: told while it lasts or afterwards; the other side is told apart."""
    (container,) = lab.side("container")

    def healed(line: str) -> bool:
        return " container " in line and "answers: container-1" in line and "outage: none" not in line

    with watching() as process:
        lines = process.stdout or ()
        assert any("answers: container-1" in line for line in lines)
        inside("server-1", "docker", "restart", "--time", "1", container.handle)
        assert any(healed(line) for line in lines)
        assert all(healed(line) for line in ended(process).splitlines() if " container " in line)


def test_ctrl_c_ends_it_in_order(lab: outputs.Contract) -> None:
    """The last view is told, the probers end, their files go."""
    with watching() as process:
        assert any("answers:" in line for line in process.stdout or ())
        ended(process)
    assert folders() == []
