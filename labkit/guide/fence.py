"""Runs a guide's fences: in the checkout's folder, in the environment of `./lab env`, each in a shell of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from infra import environment
from labkit.guide.text import CHECK, Fence
from labkit.guide.walk import Ran
from labkit.system import shell
from labkit.system.outcome import Outcome
from labkit.system.paths import CHECKOUT, STATE
from labkit.system.signals import caught

WITHIN_S = 30 * 60
"""Bound of one fence: the slowest, a first set-up, takes about 7 minutes on 2 cores."""

_END_S = 120
"""How long a fence may take to end in order after Ctrl-C: `pulumi up` finishes what it has begun."""


class Runner:
    """Runs fences and notes each in the lab's journal, which says what a walk has executed."""

    def __init__(self, lab: str, environment: Callable[[], Mapping[str, str]]) -> None:
        self._environment = environment
        self._journal = journal(lab)
        self._journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._journal.write_text("", encoding="utf-8")

    def __call__(self, fence: Fence) -> Ran:
        """Run one fence to its end. A check's output is kept; a command's goes to the person at the terminal."""
        begin = time.monotonic()
        ran = None
        try:
            status, output = _run(fence, self._environment())
            ran = Ran(fence, status, time.monotonic() - begin, output)
        finally:
            self._note(fence, ran, time.monotonic() - begin)
        return ran

    def _note(self, fence: Fence, ran: Ran | None, seconds: float) -> None:
        status = None if ran is None else ran.status
        entry = {"line": fence.line, "language": fence.language, "text": fence.text, "status": status,
                 "seconds": round(seconds, 2)}  # fmt: skip
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        shell.note(Outcome(("sh", "-euc", fence.text), -1 if status is None else status, "", seconds))


def journal(lab: str) -> Path:
    """Where the newest walk through a lab's guide is noted, a JSON object a fence."""
    return STATE / lab / "guide.jsonl"


def _run(fence: Fence, exports: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and, of a check, the output. Raises KeyboardInterrupt when it was interrupted, after its end."""
    terminal = sys.stdin.isatty()
    process: subprocess.Popen[str] | None = None
    came: list[int] = []

    def pass_on(number: int) -> None:
        came.append(number)
        if process is not None:
            _tell(process, number, terminal=terminal)

    # Before the start: an interrupt in between would leave the fence's programs alone.
    with caught(pass_on):
        try:
            process = _start(fence, exports, terminal=terminal)
            if came:
                _tell(process, came[0], terminal=terminal)
            output = _wait(process, came)
        finally:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    if came:
        raise KeyboardInterrupt
    return process.returncode, output


def _start(fence: Fence, exports: Mapping[str, str], *, terminal: bool) -> subprocess.Popen[str]:
    quiet = fence.language == CHECK
    sys.stdout.flush()
    return subprocess.Popen(
        ["sh", "-euc", fence.text],
        cwd=CHECKOUT,
        env=environment.of_person(os.environ, exports),
        stdin=None if terminal else subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        errors="replace",
        # Without a terminal nobody else tells the fence's programs of an interrupt.
        process_group=None if terminal else 0,
        encoding="utf-8",
    )


def _tell(process: subprocess.Popen[str], number: int, *, terminal: bool) -> None:
    """Pass an interrupt on to the fence's programs; a terminal has told them of Ctrl-C itself."""
    if not terminal:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    elif number != signal.SIGINT:
        process.send_signal(signal.SIGINT)


def _wait(process: subprocess.Popen[str], came: list[int]) -> str:
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return process.communicate(timeout=0.5)[0] or ""
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            deadline = min(deadline, now + _END_S) if came else deadline
            if now > deadline:
                process.kill()
                return f"gave up after {WITHIN_S} s\n" + (process.communicate()[0] or "")
