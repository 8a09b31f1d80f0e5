"""Burns CPU time, in threads, so that the event loop keeps answering."""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

MAX_MS = 10_000
MAX_THREADS = 8
MAX_PENDING = 64

# hashlib lets go of the interpreter lock for blocks like this: other threads run meanwhile. Small enough to check the
# clock about every 0.1 ms natively, 2 ms in an emulated guest.
_BLOCK = bytes(64 * 1024)


class OverloadedError(Exception):
    """MAX_PENDING pieces of work are under way."""


class Worker:
    """Does pieces of work, MAX_THREADS at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix="work")
        self._stop = Event()
        self._pending = 0

    async def burn(self, ms: int) -> float:
        """Use `ms` milliseconds of CPU time of one thread; what was really used, in ms."""
        if self._pending >= MAX_PENDING:
            raise OverloadedError
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._burn, ms)
        finally:
            self._pending -= 1

    def _burn(self, ms: int) -> float:
        begin = time.thread_time()
        end = begin + ms / 1000
        while time.thread_time() < end and not self._stop.is_set():
            hashlib.sha256(_BLOCK)
        return (time.thread_time() - begin) * 1000

    def close(self) -> None:
        """Break off what is under way."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)
