"""The processes of a run: they have a variable of the run's in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "VVC_PLAYBOOK_RUN"
"""In the environment of all that a playbook's run starts; its value begins with a folder of .state."""


def marker(inputs: Mapping[str, Any]) -> str:
    """What marks each run of a playbook in this guest or cluster; a further word tells one from the others. Pure."""
    return f"{VARIABLE}={inputs['log_dir']}/{inputs['name']}/"


def end_marked(marker: str, grace_s: float = 2.0) -> None:
    """End every process that `marked` finds: TERM, after `grace_s` seconds KILL."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + grace_s
        while (found := marked(marker)) and time.monotonic() < deadline:
            for process in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, sign)
            time.sleep(0.1)


def marked(marker: str) -> list[int]:
    """Process ids, this one's left out, of those with a variable in their environment that begins with `marker`."""
    wanted = marker.encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            has = any(one.startswith(wanted) for one in environ.read_bytes().split(b"\0"))
            if has and int(environ.parent.name) != os.getpid():
                found.append(int(environ.parent.name))
    return found
