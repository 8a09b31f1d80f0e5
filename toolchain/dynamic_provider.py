"""Serves the dynamic resources of a program (pulumi-resource-pulumi-python), and ends when the engine does.

Like the official one it runs on the Python of PULUMI_RUNTIME_VIRTUALENV, joined to the folder that it is started in,
and imports a provider's code from that folder.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from types import FrameType

# In place of this folder, so that none of its names hides an installed module.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from toolchain import lifeline
from toolchain.environments import HANDED_ON, Environment, NoEnvironmentError, is_own


def end_group() -> None:
    """End what a provider has started; the engine gives each plugin a process group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)


def end_now(_signal: int, _frame: FrameType | None) -> None:
    """The engine wants us gone, e.g. after a second Ctrl-C: it waits 5 s for a resource in the making, then kills."""
    end_group()
    os._exit(0)


_CHANGED = "--changed"
"""First argument of the process that has become the environment's Python: a wrapper of it may have another path."""


def change_to(python: Path, variables: dict[str, str]) -> None:
    """Become the same program on the environment's Python, where it is another."""
    if sys.argv[1:2] == [_CHANGED]:
        del sys.argv[1]
    elif not is_own(python):
        command = [str(python), "-u", __file__, _CHANGED, *sys.argv[1:]]
        os.execve(python, command, variables)  # noqa: S606 - no shell is wanted


def main() -> None:
    """Serve until the engine ends us."""
    environment = Environment.of(os.environ.get(HANDED_ON, ""), Path.cwd())
    try:
        change_to(environment.python(os.environ), environment.active(os.environ))
    except NoEnvironmentError as error:
        sys.exit(str(error))
    os.environ.update(environment.active(os.environ))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # our own, too
    signal.signal(signal.SIGINT, end_now)
    lifeline.hold(end_group)
    sys.path[0] = str(Path.cwd())
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
