"""One process at a time: a lock on a file or folder. The kernel lets go of it when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.system.errors import LabError
from labkit.system.waiting import until


@contextmanager
def held(
    file: Path, within_s: float, otherwise: LabError, waiting: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold the lock of this file, which is made if need be, or of a folder, which is there.

    While another process holds it `waiting` is called again and again; after `within_s` seconds `otherwise` is raised.
    """
    lock = os.open(file, os.O_RDONLY if file.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:

        def take() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                return False
            return True

        if not until(take, within_s):
            raise otherwise
        yield
    finally:
        os.close(lock)
