"""How the tool ends: one sentence with one next step on stderr, an exit status, and no traceback in any case.

Exit status: 0 when what the command claims was shown, 1 for errors, 2 for usage, 130 when it was interrupted.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import select
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from infra import surprise
from labkit import _unready
from labkit.system import shell
from labkit.system.errors import LOOK, LabError
from labkit.system.paths import STATE

BUNDLE = f"{LOOK} --bundle"
INTERRUPTED = 130

_SET_UP_FIRST = ("setup", "up", "test", "bench")
"""Verbs that begin with what `./lab setup` does."""

_FLAGS = {"--yes", "-y", "--quick", "--json", "--plain", "again"}
"""Words that do not make another command of a command."""


class KeptError(Exception):
    """Carries an exception past click, which ends silently at a broken pipe, whosever it is."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def run(tool: Callable[[], object], words: Sequence[str]) -> NoReturn:
    """Run the tool, invoked with these words, and end this process."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminated)
        log = STATE / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}-{_fit_for_a_name(words)}.log"
        with suppress(OSError):
            shell.log_to(log)
        _keep_tracebacks(log)
        status = _status(tool, words, log)
    except KeyboardInterrupt:
        status = _interrupted()
    _leave(status)


def next_step(hint: str, words: Sequence[str]) -> str:
    """Pure: the hint, or a look where the hint is the command that has just failed."""
    named = hint.strip().rstrip(".")
    if not named.startswith("./lab "):
        return hint
    try:
        asked = [word for word in shlex.split(named)[1:] if word not in _FLAGS]
    except ValueError:
        return hint
    done = [word for word in words if word not in _FLAGS]
    as_set_up = asked == ["setup"] and done[:1] and done[0] in _SET_UP_FIRST
    if asked != done and not as_set_up:
        return hint
    return LOOK if done[:1] != ["doctor"] else BUNDLE


def _status(tool: Callable[[], object], words: Sequence[str], log: Path) -> int:
    try:
        status = _called(tool)
    except LabError as error:
        status = _fail(error.problem, next_step(error.hint, words))
    except click.ClickException as error:
        error.show(sys.stderr)
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        status = _interrupted()
    except BaseExceptionGroup as group:
        told = group.subgroup((KeyboardInterrupt, LabError))
        status = _surprised(group, words, log) if told is None else _status(lambda: _raise_first(told), words, log)
    except KeptError as kept:
        ours = isinstance(kept.error, BrokenPipeError) and _nobody_reads()
        status = 1 if ours else _surprised(kept.error, words, log)
    except Exception as error:  # noqa: BLE001 - a person gets a sentence, whatever it was
        status = _surprised(error, words, log)
    return status


def _raise_first(group: BaseException) -> NoReturn:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    raise group


def _called(tool: Callable[[], object]) -> int:
    try:
        told = tool()
    except SystemExit as ended:
        told = ended.code
        if isinstance(told, str):
            return _fail(told, LOOK)
    return told if isinstance(told, int) else 0


def _surprised(error: BaseException, words: Sequence[str], log: Path) -> int:
    written = surprise.note(error, log)
    if isinstance(error, ImportError | SyntaxError):
        files = []
        trace = error.__traceback__
        while trace is not None:
            files.append(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        problem, hint = _unready.worded(error, files)
    else:
        problem = f"{shlex.join(['./lab', *words[:1]])} met what it does not expect: {surprise.sentence(error)}"
        hint = BUNDLE if "--bundle" not in words else "report this with the log, after a look through it"
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space; df -h shows where there is none"
    return _fail(problem, hint, log=written)


def _interrupted() -> int:
    return _fail("Interrupted.", "Nothing is lost: run the same command again.", status=INTERRUPTED)


def _fail(problem: str, hint: str, *, status: int = 1, log: Path | None = None) -> int:
    told = log or shell.log_file()
    with suppress(OSError, ValueError):  # nobody listens any more
        click.echo(f"{click.style('✗', fg='red')} {problem}", err=True)
        click.echo(f"  Next: {hint or LOOK}", err=True)
        if told is not None and told.exists():
            click.echo(f"  Log: {told}", err=True)
    return status


def _leave(status: int) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # all is said and undone: what remains may end at once
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            if not isinstance(error, BrokenPipeError) and not status:
                _fail(f"What this command had to say could not be written: {error}", "free some space there")
            status = status or 1
            with suppress(OSError):  # what is left in its buffer would be written at the interpreter's end
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _keep_tracebacks(log: Path) -> None:
    """What would show a traceback beside the tool's own words goes into the log: threads, destructors, libraries."""

    def in_thread(what: threading.ExceptHookArgs) -> None:
        if what.exc_value is not None and surprise.note(what.exc_value, log):
            with suppress(OSError, ValueError):
                click.echo(f"  a part of this command failed: {surprise.sentence(what.exc_value)}", err=True)

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        if what.exc_value is not None:
            surprise.note(what.exc_value, log)

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.FileHandler(log, encoding="utf-8", errors="replace", delay=True))


def _nobody_reads() -> bool:
    """Whether who read our output is gone, as `head` is after its lines."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _fit_for_a_name(words: Sequence[str]) -> str:
    return re.sub(r"[^\w-]", "", "".join(words[:1]))[:40] or "lab"


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    # As Ctrl-C: what was started is ended on the way out.
    raise KeyboardInterrupt
