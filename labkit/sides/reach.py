"""Does in a server what the words of its reach say: run a command, copy a file in or out. Nobody else goes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from infra.reach import Reach
from labkit.sides.protocol import Runner
from labkit.system import shell
from labkit.system.outcome import Outcome

_COPY_WITHIN_S = 60.0


def runner(reach: Reach, *, hint: str = "") -> Runner:
    """A function that runs a command in the server, where its virsh and its docker stand ready.

    `hint` is the next step of whoever reads that a command has failed.
    """

    def run(command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None) -> Outcome:
        return shell.run(reach.words(command), timeout_s=timeout_s, on_line=on_line, hint=hint)

    return run


def copy_in(reach: Reach, file: Path, path: str) -> None:
    """Copy a file of the laptop into the server. Raises CommandError."""
    shell.run(reach.words_in(str(file), path), timeout_s=_COPY_WITHIN_S)


def copy_out(reach: Reach, path: str, file: Path) -> None:
    """Copy a file of the server out to the laptop. Raises CommandError."""
    shell.run(reach.words_out(path, str(file)), timeout_s=_COPY_WITHIN_S)


def interactive(reach: Reach, command: Sequence[str], *, tty: bool) -> list[str]:
    """The command line that runs `command` (a shell if empty) in the server, with whatever comes in."""
    return reach.words(command or ["bash"], stdin=True, tty=tty)
