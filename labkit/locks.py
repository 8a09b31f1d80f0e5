"""One process at a time: a lock on a file. The kernel lets go of it when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.engine_processes import until
from labkit.errors import LabError


@contextmanager
def held(
    file: Path, within_s: float, otherwise: LabError, waiting: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold the lock of this file, which is made if need be.

    While another process holds it `waiting` is called again and again; after `within_s` seconds `otherwise` is raised.
    """
    with file.open("w") as lock:

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
