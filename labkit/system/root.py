"""Commands that need root: as they are for root, else through sudo."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from infra import environment
from labkit.system import shell
from labkit.system.errors import CommandError, LabError
from labkit.system.outcome import Outcome

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Folders of administration programs, which are not on every person's PATH."""

_ASK_S = 10


def path() -> str:
    """The PATH, with the folders of administration programs."""
    return f"{os.environ.get('PATH', os.defpath)}:{SBIN}"


def which(program: str) -> str | None:
    """Where a program lies, administration programs included."""
    return shutil.which(program, path=path())


def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    problem: str = "",
    hint: str = "",
) -> Outcome:
    """Run a command as root, as `shell.run` does. sudo asks for a password only where there is a terminal.

    Variables of `env` are named to sudo, which would drop them; their values, a proxy's password say, stand on no
    command line.
    """
    words = list(command)
    if os.geteuid() == 0:
        return shell.run(
            words, timeout_s=timeout_s, env=env, umask=umask, on_line=on_line, check=check, problem=problem, hint=hint
        )
    if shutil.which("sudo") is None:
        raise LabError(problem or "This needs root, and there is no sudo.", hint=f"As root: {shlex.join(words)}")
    keep = [f"--preserve-env={','.join(env)}"] if env else []
    if shell.run(["sudo", "-n", *keep, "true"], timeout_s=_ASK_S, env=env, check=False).ok:
        words = ["sudo", "-n", *keep, *words]
        return shell.run(
            words, timeout_s=timeout_s, env=env, umask=umask, on_line=on_line, check=check, problem=problem, hint=hint
        )
    if not sys.stdin.isatty():
        raise LabError(
            problem or "This needs root, and sudo would have to ask for a password without a terminal.",
            hint=f"At a terminal: {shlex.join(['sudo', *words])}",
        )
    words = ["sudo", *keep, *words]
    return _at_terminal(words, timeout_s, env=env, umask=umask, check=check, problem=problem, hint=hint)


def _at_terminal(
    words: list[str],
    timeout_s: float,
    *,
    env: Mapping[str, str] | None,
    umask: int,
    check: bool,
    problem: str,
    hint: str,
) -> Outcome:
    # shell.run gives its command a session of its own, where sudo cannot ask.
    begin = time.monotonic()
    try:
        status = subprocess.run(
            words,
            timeout=timeout_s,
            stdout=sys.stderr,
            env={**environment.plain(os.environ), **(env or {})},
            umask=umask,
            check=False,
        ).returncode
        timed_out = False
    except subprocess.TimeoutExpired:
        status, timed_out = -1, True
    outcome = Outcome(tuple(words), status, "", time.monotonic() - begin, timed_out)
    if check and not outcome.ok:
        raise CommandError(outcome, problem=problem, hint=hint)
    return outcome
