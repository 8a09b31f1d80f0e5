"""Serves the dynamic resources of a program (pulumi-resource-pulumi-python), and ends when the engine does."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from types import FrameType

# In place of this folder: a provider's code is imported by its module's name, e.g. infra.playbook.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from toolchain import lifeline


def end_group() -> None:
    """End what a provider has started; the engine gives each plugin a process group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)


def end_now(_signal: int, _frame: FrameType | None) -> None:
    """The engine wants us gone, e.g. after a second Ctrl-C: it waits 5 s for a resource in the making, then kills."""
    end_group()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # our own, too
    signal.signal(signal.SIGINT, end_now)
    lifeline.hold(end_group)
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
