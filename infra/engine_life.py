"""Ends the process that serves dynamic resources when Pulumi's engine is gone, and with it the workers it has started.

The engine gives each plugin its own address as the last word. It may be killed without a word to its plugins, and a
script may stand between the two and live on: so neither a signal nor the parent tells, but who listens there.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

_PAUSE_S = 0.5
_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)")
_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
_LISTENS = "0A"
_held = threading.Lock()


def port(words: Sequence[str]) -> int | None:
    """Pure: the engine's port out of a plugin's command line; None for a process that no engine has started."""
    found = _ADDRESS.fullmatch(words[-1]) if words else None
    return int(found[1]) if found else None


def listens(port_: int, table: Iterable[str]) -> bool:
    """Pure: whether somebody listens at a TCP port, by the kernel's table of sockets (/proc/net/tcp)."""
    for line in table:
        _, local, _, state, *_ = [*line.split(), "", "", "", ""]
        if state == _LISTENS and local.endswith(f":{port_:04X}"):
            return True
    return False


def hold(end: Callable[[int], object] = os._exit) -> None:
    """Watch, from a thread, the engine that this process serves; `end` it with 1 once that is gone. Once a process.

    Workers end by themselves with the process: it holds the other end of their standard input.
    """
    engine, parent = port(sys.argv), os.getppid()
    if engine is None or not _held.acquire(blocking=False):
        return

    def watch() -> None:
        while os.getppid() == parent and _is_there(engine):
            time.sleep(_PAUSE_S)
        end(1)

    threading.Thread(target=watch, name="engine", daemon=True).start()


def _is_there(engine: int) -> bool:
    read = False
    for table in _TABLES:
        with suppress(OSError):
            lines = Path(table).read_text(encoding="utf-8").splitlines()
            read = True
            if listens(engine, lines):
                return True
    return not read  # no table, no word of it
