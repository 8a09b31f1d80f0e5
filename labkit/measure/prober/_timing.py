"""An event loop whose timers go off in time.

asyncio waits by epoll, whose timeouts are whole milliseconds, rounded up: requests left up to 2.3 ms too late. An epoll
descriptor can itself be waited for by select, whose timeouts are microseconds; it is one descriptor however many
connections are open, so that select's limit of 1,024 is not ours.
"""

from __future__ import annotations

import asyncio
import selectors
from select import select


class _Exact(selectors.EpollSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            select([self], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def loop() -> asyncio.AbstractEventLoop:
    """A new event loop that wakes within some microseconds of its timers."""
    return asyncio.SelectorEventLoop(_Exact())
