"""One worker at a time in a guest: a lock on a file. The kernel lets go of it when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WITHIN_S = 60.0
"""Longer than a worker whose engine was killed takes to notice it and to end all that it has started."""

_PAUSE_S = 0.2


class HeldError(Exception):
    """Another worker has not let go in time; the message says which."""


@contextmanager
def held(
    file: Path, name: str, stop: threading.Event, waiting: Callable[[str], object], within_s: float = WITHIN_S
) -> Iterator[None]:
    """Hold the guest's lock, whose file is made if need be; `waiting` is told once whom one waits for.

    Raises HeldError after `within_s` seconds, or as soon as `stop` is set.
    """
    deadline = time.monotonic() + within_s
    with file.open("a+", encoding="utf-8") as lock:
        told = False
        while not _taken(lock.fileno()):
            lock.seek(0)
            holder = lock.read().strip()
            if not told:
                waiting(f"{name}: waits for another run of it, process {holder or '(unknown)'}")
                told = True
            if stop.wait(_PAUSE_S) or time.monotonic() > deadline:
                kill = f": wait until it has ended, or: kill {holder}" if holder else ""
                raise HeldError(
                    f"Another run of {name} is at work in the guest (process {holder or 'unknown'}; waited "
                    f"{time.monotonic() - deadline + within_s:.0f} s for it), and two at once would spoil it{kill}"
                )
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
