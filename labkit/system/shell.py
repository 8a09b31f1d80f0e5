"""External programs: run one with a bound, get one kind of outcome, and log it.

Every command goes into one log file of this invocation (`log_to`), with its output and its time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer, current_thread, main_thread

from infra import environment
from infra.bounds import COMMAND
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome
from labkit.system.signals import interrupts_wait

_PR_SET_PDEATHSIG = 1
"""prctl(2): signal that a process gets when the thread that started it ends."""

_log: Path | None = None


def log_to(path: Path) -> None:
    """Append every further command, its output and its time to this file."""
    global _log  # noqa: PLW0603 - one log per process, set once by the command line
    path.parent.mkdir(parents=True, exist_ok=True)
    _log = path


def log_file() -> Path | None:
    """The log file of this invocation, if there is one."""
    return _log


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    timeout_s: float,
    gets: environment.Gets = environment.plain,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    stdout_only: bool = False,
    check: bool = True,
    ends_with_us: bool = False,
    umask: int = -1,
    problem: str = "",
    hint: str = "",
    grace_s: float = 3.0,
) -> Outcome:
    """Run a program to its end; stdout and stderr are one stream.

    With `stdout_only` the output of a command that succeeds is its stdout alone, for answers that are data.
    `gets`, of infra.environment, makes its environment out of the person's; `env` is added.
    At `timeout_s`, or what COMMAND's variable says if that is more, the whole process group is ended (TERM, after
    `grace_s` KILL). `on_line` sees each line of output as it comes. With `check` a failure raises
    CommandError, worded by `problem` and `hint`. On Ctrl-C or any other exception the process group is ended before it
    propagates; `ends_with_us` ends the program (not its group) even where this process is killed. `umask` is the
    program's, by default this process's.
    """
    words = tuple(os.fspath(word) for word in command)
    timeout_s = max(timeout_s, COMMAND.given or 0)
    begin = time.monotonic()
    with tempfile.TemporaryFile(mode="w+", errors="replace", encoding="utf-8") as asides:
        process: subprocess.Popen[str] | None = None
        try:
            with interrupts_wait():  # a process that is being started must not be lost
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=asides if stdout_only else subprocess.STDOUT,
                    env={**gets(os.environ), **(env or {})},
                    cwd=cwd,
                    umask=umask,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                    preexec_fn=end_with_starter() if ends_with_us else None,  # noqa: PLW1509 - see there
                    encoding="utf-8",
                )
        except KeyboardInterrupt:
            if process is not None:
                end_group(process, grace_s)
            raise
        except OSError as error:
            outcome = Outcome(words, 127, str(error), 0.0)
        else:
            output, timed_out = _follow(process, timeout_s, stdin, on_line, grace_s)
            if process.returncode != 0:
                asides.seek(0)
                output += asides.read()
            outcome = Outcome(words, process.returncode, output, time.monotonic() - begin, timed_out)
    note(outcome)
    if check and not outcome.ok:
        raise CommandError(outcome, problem=problem, hint=hint)
    return outcome


def end_with_starter() -> Callable[[], None] | None:
    """For Popen's preexec_fn: has the kernel kill the program when this process dies, in whatever way.

    Linux goes by the thread that starts the program, so this is None (no such bond) outside the main one.
    """
    if sys.platform != "linux" or current_thread() is not main_thread():
        return None
    prctl, starter = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def bond() -> None:
        # Nothing but calls of the kernel: no lock that another thread may hold at the fork is needed.
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != starter:  # it died before the bond was made
            os._exit(1)

    return bond


def _follow(
    process: subprocess.Popen[str],
    timeout_s: float,
    stdin: str | None,
    on_line: Callable[[str], None] | None,
    grace_s: float,
) -> tuple[str, bool]:
    """Feed and read a process to its end; what it printed and whether it ran into the bound."""
    expired = Event()

    def expire() -> None:
        expired.set()
        end_group(process, grace_s)

    timer = Timer(timeout_s, expire)
    timer.daemon = True
    lines: list[str] = []
    try:
        timer.start()
        if stdin is not None and process.stdin is not None:
            # A program may end without reading; its status tells why.
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(stdin)
        for line in process.stdout or ():
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            end_group(process, grace_s)
        if process.stdout is not None:
            process.stdout.close()
    return "".join(lines), expired.is_set()


def end_group(process: subprocess.Popen[str] | subprocess.Popen[bytes], grace_s: float = 3.0) -> None:
    """End a process and all of its group: TERM, then KILL after `grace_s` seconds."""
    for sign, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, grace_s)):
        try:
            os.killpg(process.pid, sign)
            process.wait(wait_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return


def note(outcome: Outcome) -> None:
    """Write a command that ran otherwise than by `run` into the log, too."""
    if _log is None:
        return
    with _log.open("a", encoding="utf-8") as log:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        log.write(f"## {stamp} {outcome.pasteable}\n## {outcome.ending}\n{outcome.output}\n")
