"""Running programs: one outcome, a bound, no orphan, a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.system import processes, shell, waiting
from labkit.system.errors import CommandError


def test_an_outcome_has_status_output_and_a_pasteable_command() -> None:
    """stdout and stderr are one stream."""
    outcome = shell.run(["sh", "-c", "echo out; echo 'to err' >&2; exit 3"], timeout_s=10, check=False)
    assert (outcome.status, outcome.output, outcome.ok) == (3, "out\nto err\n", False)
    assert outcome.pasteable == "sh -c 'echo out; echo '\"'\"'to err'\"'\"' >&2; exit 3'"


def test_data_comes_without_warnings_unless_it_fails() -> None:
    """With stdout_only stderr is part of a failure's message only."""
    assert shell.run(["sh", "-c", "echo x; echo y >&2"], timeout_s=10, stdout_only=True).output == "x\n"
    with pytest.raises(CommandError, match="why it failed"):
        shell.run(["sh", "-c", "echo why it failed >&2; exit 1"], timeout_s=10, stdout_only=True)


def test_a_failure_is_worded_and_has_a_next_step() -> None:
    """Problem, telling line, command, status; the hint apart."""
    with pytest.raises(CommandError) as failed:
        shell.run(["sh", "-c", "echo last; exit 4"], timeout_s=10, problem="It broke", hint="mend it")
    assert re.match(r"It broke: last\n  sh -c 'echo last; exit 4': exit status 4 after \d+\.\d s", failed.value.problem)
    assert failed.value.hint == "mend it"


def test_a_bound_ends_the_whole_group() -> None:
    """Also a child that ignores TERM's parent; the outcome says that it was the bound."""
    begin = time.monotonic()
    outcome = shell.run(["sh", "-c", "sleep 98.7 & echo $!; wait"], timeout_s=0.3, check=False)
    assert outcome.timed_out
    assert time.monotonic() - begin < 5
    child = int(outcome.output.split()[0])
    with pytest.raises(ProcessLookupError):
        _until_gone(child)


def _until_gone(pid: int, within_s: float = 30) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < within_s:
        os.kill(pid, 0)
        time.sleep(0.05)


STARTER = """
import sys
from labkit.system import shell
told = {"timeout_s": 60, "ends_with_us": True}
shell.run(["sh", "-c", "echo $$; exec sleep 98.6"], **told, on_line=lambda line: print(line, flush=True))
"""


def test_what_ends_with_us_ends_where_we_are_killed() -> None:
    """Though nothing of ours runs any more."""
    words = [sys.executable, "-c", STARTER]
    with subprocess.Popen(
        words, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as starter:
        assert starter.stdout is not None
        program = int(starter.stdout.readline())
        os.kill(program, 0)
        starter.kill()
    assert waiting.until(lambda: not processes.alive(program), 30)


def test_a_program_that_is_not_there_is_named() -> None:
    """Status 127, as a shell says."""
    outcome = shell.run(["no-such-program-x"], timeout_s=1, check=False)
    assert outcome.status == 127
    assert "no-such-program-x" in outcome.output


def test_lines_are_told_as_they_come_and_input_is_given() -> None:
    """One call for each line."""
    lines: list[str] = []
    shell.run([sys.executable, "-c", "print(input()); print('b')"], timeout_s=20, stdin="a\n", on_line=lines.append)
    assert lines == ["a", "b"]


def test_every_command_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With output and time, in one file."""
    monkeypatch.setattr(shell, "_log", None)
    shell.log_to(tmp_path / "logs" / "x.log")
    done = shell.run(["echo", "hello there"], timeout_s=5)
    text = (tmp_path / "logs" / "x.log").read_text(encoding="utf-8")
    assert f"echo 'hello there'\n## exit status 0 after {done.seconds:.1f} s\nhello there\n" in text
