"""What /proc says of a process, and when a Pulumi CLI has lost its ./lab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labkit.system import processes
from labkit.system.processes import STARTED_BY, Process, starter_gone


@pytest.mark.parametrize(
    ("parent", "environment", "gone"),
    [(20, {STARTED_BY: "20"}, False), (1, {STARTED_BY: "20"}, True), (1, {}, None)],
    ids=["held", "handed on", "a person's"],
)
def test_a_cli_has_lost_its_starter_when_its_parent_is_another(
    parent: int, environment: dict[str, str], gone: bool | None
) -> None:
    """Of a person's CLI nothing is said."""
    assert starter_gone(Process(21, parent, 10, ("pulumi", "up"), environment)) is gone


def test_a_process_is_told_with_its_words_and_its_own_environment() -> None:
    """Before it is waited for it is a zombie, which is no process any more."""
    with subprocess.Popen(["cat"], env={"A": "b=c"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as one:
        # While it becomes that program it has no words.
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write(b"begun")
        assert one.stdout.read(5) == b"begun"
        found = processes.process(one.pid)
        one.kill()
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        assert processes.process(one.pid) is None
    assert found == Process(one.pid, os.getpid(), os.getsid(0), ("cat",), {"A": "b=c"}, str(Path.cwd()))
    assert processes.process(2**22 + 1) is None


def test_a_process_that_becomes_another_program_is_alive_all_the_time(tmp_path: Path) -> None:
    """It has no words for a moment."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nexec "$0"\n', encoding="utf-8")
    program.chmod(0o755)
    with subprocess.Popen([program]) as one:
        found = {processes.alive(one.pid) for _ in range(2000)}
        one.kill()
    assert found == {True}
    assert not processes.alive(one.pid)
