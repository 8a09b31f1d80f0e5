"""Running processes, as /proc tells of them, and whether a Pulumi CLI of ./lab's has lost the ./lab that started it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STARTED_BY = "VVC_STARTED_BY"
"""Variable in the environment of a CLI that this tool starts: the id of the process that holds it."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """What tells whose a process is. `environment` is the one it was started with, `folder` where it works."""

    pid: int
    parent: int
    session: int
    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str = ""


def starter_gone(cli: Process) -> bool | None:
    """Pure: whether the ./lab that started a Pulumi CLI is gone; None for a CLI that no ./lab has started.

    It was handed on when its parent is another. Ask of no other program: what a CLI starts inherits the variable.
    """
    starter = cli.environment.get(STARTED_BY)
    return None if starter is None else str(cli.parent) != starter


def running() -> Iterator[Process]:
    """All processes that this account can see, zombies left out."""
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (found := process(int(folder.name))) is not None:
            yield found


def process(pid: int) -> Process | None:
    """One process; None for one that has ended, be it a zombie still.

    Of another account's process, words, environment and folder may be empty.
    """
    folder = _PROC / str(pid)
    try:
        state, parent, _, session, *_ = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended
        return None
    if state == "Z":
        return None
    environment = dict(word.split("=", 1) for word in _words(folder / "environ") if "=" in word)
    return Process(pid, int(parent), int(session), command_line(pid), environment, _folder(folder / "cwd"))


def command_line(pid: int) -> tuple[str, ...]:
    """A process's words; empty for one that has ended."""
    return _words(_PROC / str(pid) / "cmdline")


def _words(file: Path) -> tuple[str, ...]:
    try:
        return tuple(file.read_bytes().decode(errors="replace").split("\0")[:-1])
    except OSError:  # it has ended, or is another account's
        return ()


def _folder(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # it has ended, or is another account's
        return ""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(ChildProcessError):  # not our child: nothing to reap
        os.waitpid(pid, os.WNOHANG)
    return process(pid) is not None
