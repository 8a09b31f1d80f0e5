"""The processes of a run: they have a variable of the run's in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def end_marked(marker: str, grace_s: float = 2.0) -> None:
    """End every process that has `marker` in its environment: TERM, after `grace_s` seconds KILL."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + grace_s
        while (found := marked(marker)) and time.monotonic() < deadline:
            for process in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, sign)
            time.sleep(0.1)


def marked(marker: str) -> list[int]:
    """Process ids, this one's left out, of those with `marker` in their environment."""
    wanted = marker.encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in environ.read_bytes().split(b"\0") and int(environ.parent.name) != os.getpid():
                found.append(int(environ.parent.name))
    return found
