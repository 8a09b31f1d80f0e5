"""The programs of ./lab test: how they are known, followed, interrupted once, and ended with all that they started."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from infra.environment import Gets
from labkit.system import processes, shell
from labkit.system.errors import LabError
from labkit.system.processes import Process
from labkit.system.signals import INTERRUPTS, caught
from labkit.system.waiting import until

CHECKOUT = "VVC_SUITE_CHECKOUT"
"""Variable in the environment of all that the tests start: the copy in which they run."""

_STARTER = "VVC_SUITE_STARTER"
_LOG = "VVC_SUITE_LOG"
"""The person's log, which is there still when the copy is gone."""

_SAME_S = 1.0
"""One Ctrl-C may come twice: from the terminal, and from whoever was interrupted by it as well."""

_GRACE_S = 60.0
_END_S = 20.0
_LOOK_S = 0.5


def mark(checkout: Path) -> dict[str, str]:
    """What the environment of the tests in this copy is known by, and what log their set-up is to write."""
    log = shell.log_file()
    return {CHECKOUT: str(checkout), _STARTER: str(os.getpid()), _LOG: str(log) if log else os.devnull}


def in_the_copy() -> bool:
    """Whether this process is the one that ./lab test has started in the copy."""
    return os.environ.get(_STARTER) == str(os.getppid())


def tests_run_in(checkout: Path) -> bool:
    """Whether this process belongs to a ./lab test whose copy this checkout is."""
    return os.environ.get(CHECKOUT) == str(checkout)


@contextmanager
def outliving() -> Iterator[None]:
    """While inside, what is started is not known as the tests', and does not end with them: set-up starts an engine."""
    marked = os.environ.pop(CHECKOUT, None)
    try:
        yield
    finally:
        if marked is not None:
            os.environ[CHECKOUT] = marked


def begin_in_the_copy() -> None:
    """Log where the person looks for it; be interrupted as a test run must be."""
    shell.log_to(Path(os.environ[_LOG]))
    interrupt_once()


def script(python: Path, program: Path) -> str:
    """Pure: the text of a program that runs another one, written in Python, by this interpreter."""
    return f'#!/bin/sh\nexec {shlex.quote(str(python))} {shlex.quote(str(program))} "$@"\n'


def interrupt_once() -> None:
    """INT and TERM raise KeyboardInterrupt, but not twice for one Ctrl-C: what is undone then comes to its end."""
    latest = [float("-inf")]

    def take(_number: int, _frame: FrameType | None) -> None:
        before, latest[0] = latest[0], time.monotonic()
        if latest[0] - before > _SAME_S:
            raise KeyboardInterrupt

    for number in INTERRUPTS:
        signal.signal(number, take)


def follow(words: Sequence[str], cwd: Path, gets: Gets, env: Mapping[str, str]) -> int:
    """Run a program that owns the terminal, in an environment that `gets` makes and `env` adds to; its exit status.

    INT, TERM and HUP are passed on as INT, and its orderly end is waited for, for a minute; the second one kills it. It
    is killed as well when this process is. Raises KeyboardInterrupt after its end where one came.
    """
    came: list[float] = []
    started: list[subprocess.Popen[bytes]] = []

    def take(_number: int) -> None:
        now = time.monotonic()
        if came and now - came[-1] < _SAME_S:
            return
        came.append(now)
        if started:
            started[0].send_signal(signal.SIGINT if len(came) == 1 else signal.SIGKILL)

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # as nohup sets it
    bond = shell.end_with_starter()
    with caught(take, INTERRUPTS if ignored else (*INTERRUPTS, signal.SIGHUP)):
        process = subprocess.Popen(words, cwd=cwd, env={**gets(os.environ), **env}, preexec_fn=bond)  # noqa: PLW1509 - see there
        started.append(process)
        if came:  # before there was anything to end
            process.send_signal(signal.SIGINT)
        while True:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(_LOOK_S)
                break
            if came and time.monotonic() - came[0] > _GRACE_S:
                process.kill()
    if came:
        raise KeyboardInterrupt
    return status


def of_tests(found: Iterable[Process], roots: Sequence[Path], me: int) -> list[Process]:
    """Pure: the processes, but `me`, that tests in a copy below one of these folders have started."""

    def theirs(one: Process) -> bool:
        copy = one.environment.get(CHECKOUT)
        return copy is not None and any(Path(copy).is_relative_to(root) for root in roots)

    return [one for one in found if one.pid != me and theirs(one)]


def end(roots: Sequence[Path]) -> None:
    """End whatever the tests have started and still runs. Raises LabError where something does not end."""

    def ended() -> bool:
        left = of_tests(processes.running(), roots, os.getpid())
        for one in left:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        return not left

    try:
        gone = until(ended, _END_S)
    except PermissionError:
        gone = False
    if not gone:
        raise LabError("Programs of an earlier ./lab test do not end.", hint="run it as root, or with sudo")
