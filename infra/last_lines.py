"""What a replica said last, for the message of a rung that gave up. Knows nothing of Pulumi."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

from infra import environment

LINES = 15
CONSOLE_DIR = "/var/log/vvc"
"""In the server: the log of each guest's console since its last start."""

GONE = 3
"""Exit status of a command for `of` where what it looks at does not run any more, and will not by itself."""

_WITHIN_S = 10
_MAX_CHARACTERS = 3000


def of(command: Sequence[str]) -> str:
    """A paragraph with what the command prints, or why it prints nothing; empty without a command.

    The message that it goes into must come in any case: the command is bounded, and its failure is told, not raised.
    """
    if not command:
        return ""
    try:
        done = _done(command)
        said = (done.stdout + done.stderr).decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    # A console holds control characters, which must not reach a terminal.
    lines = ["".join(letter for letter in line if letter.isprintable()) for line in said.splitlines()]
    text = "\n".join(f"    {line}" for line in lines if line.strip())[-_MAX_CHARACTERS:]
    return f"\nIts last lines ({shlex.join(command)}):\n{text or '    (none)'}"


def gone(command: Sequence[str]) -> bool:
    """Whether what the command looks at does not run any more; no, where the command cannot tell."""
    return status(command) == GONE


def status(command: Sequence[str]) -> int | None:
    """The exit status of a command; None where there is none, or it gives none within its bound."""
    try:
        return _done(command).returncode if command else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def _done(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        list(command),
        env=environment.plain(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_WITHIN_S,
        check=False,
    )
