"""The experiment *surface*: what it makes of strace's words, and of a server in which nobody may watch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from labkit.measure.prober.sample import Sample
from labkit.measure.prober.summary import summarise
from labkit.sides import SIDES, Runner
from labkit.system.outcome import Outcome
from labs.isolation import surface
from labs.isolation.sides import surface as watched

SUMMARY = """\
    calls    errors syscall
--------- --------- ----------------
     5123           futex
     4018         3 ppoll
      800           read
--------- --------- ----------------
     9941         3 total
"""
GOOD = Sample("s", "read", 0, 0.0, 0.0, 0.1, 0.1, "ok", 200)


def test_system_calls_are_read_off_straces_summary() -> None:
    """With errors or without; the total is no system call."""
    assert surface.parse(SUMMARY) == {"futex": 5123, "ppoll": 4018, "read": 800}
    assert surface.values({"read": 30, "write": 20}, 500) == {"system_call_kinds": 2.0, "system_calls": 100.0}


def test_a_summary_of_nothing_is_no_count_of_zero() -> None:
    """Who answers makes system calls: there is something wrong."""
    with pytest.raises(ValueError, match="strace counted nothing: it left no summary"):
        surface.parse("")


def test_too_few_answers_are_shown_and_do_not_count() -> None:
    """strace slows things; nine of ten is enough for the kinds."""
    assert surface.incomplete(summarise([GOOD] * 900)) == ()
    assert "of 1000 requests 899 were answered" in surface.incomplete(summarise([GOOD] * 899))[0]


def test_each_side_says_what_stands_for_it() -> None:
    """In processes of the server."""
    assert set(watched.SIDES) == set(SIDES)


def _here(folder: Path) -> Runner:
    def run(command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None) -> Outcome:
        assert on_line is None
        words = [word.replace(surface.FOLDER, str(folder)).replace(surface.NOTE, f"{folder}.note") for word in command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)
        return Outcome(tuple(command), done.returncode, done.stdout, 0.0)

    return run


BUSY = "import os, time\nwhile True: os.getppid(); time.sleep(0.01)"


@pytest.mark.slow
def test_a_process_is_watched_and_let_go(tmp_path: Path) -> None:
    """By the very scripts that run in a server: counted while inside, and alive and alone afterwards."""
    run = _here(tmp_path / "surface")
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        try:
            with surface.watching(run, [str(process.pid)], 30.0) as why:
                assert why == ""
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                assert "TracerPid:\t0" not in status
                process_calls = surface.parse(run(["sh", "-c", "sleep 0.5;" + surface.STOP]).output)
            assert process_calls["getppid"] > 1
            assert process.poll() is None
            assert "TracerPid:\t0" in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            assert not (tmp_path / "surface").exists()
        finally:
            process.kill()


@pytest.mark.slow
def test_what_cannot_be_watched_is_said_in_straces_own_words(tmp_path: Path) -> None:
    """A process that is gone, as one that nobody may trace."""
    with surface.watching(_here(tmp_path / "surface"), ["4194303"], 30.0) as why:
        assert "strace: attach" in why
    assert not (tmp_path / "surface").exists()
