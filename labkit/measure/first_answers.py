"""Watches URLs from outside for their first answers. Monotonic clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

POLL_S = 0.05
"""Resolution of every instant that is seen here. Asking more often would slow down a guest that boots without KVM."""

_CONNECT_WITHIN_S = 1.0
_ANSWER_WITHIN_S = 5.0
_REQUEST = b"GET /whoami HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"


@contextmanager
def polling(urls: Mapping[str, str]) -> Iterator[dict[str, float]]:
    """While inside: URL -> when its /whoami first answered 200, on the monotonic clock.

    An open loop: a new connection every POLL_S, whether those before it are accepted or not. One that waits would
    learn of a service that starts only when its own first packet, lost as nobody was there yet, is sent again after a
    second. Once one is accepted it alone is waited for: a guest that has just begun to serve, without KVM, would
    drown in the rest.
    """
    first: dict[str, float] = {}
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_poll(urls.values(), first, over)), daemon=True)
    thread.start()
    try:
        yield first
    finally:
        over.set()
        thread.join(2 * _CONNECT_WITHIN_S)


async def _poll(urls: Iterable[str], first: dict[str, float], over: threading.Event) -> None:
    open_: set[asyncio.Task[None]] = set()
    accepted: set[str] = set()
    clock = time.monotonic
    next_s = clock()
    while not over.is_set():
        for url in urls:
            if url not in first and url not in accepted:
                task = asyncio.create_task(_ask(url, first, accepted))
                open_.add(task)
                task.add_done_callback(open_.discard)
        next_s = max(next_s + POLL_S, clock())
        await asyncio.sleep(next_s - clock())
    for task in open_:
        task.cancel()
    await asyncio.gather(*open_, return_exceptions=True)


async def _ask(url: str, first: dict[str, float], accepted: set[str]) -> None:
    parts = urlsplit(url)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        mine = url not in accepted
        accepted.add(url)
        try:
            if not mine:
                return
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                writer.write(_REQUEST % str(parts.netloc).encode())
                status = await reader.readline()
                rest = await reader.read()
            if status.split()[1:2] == [b"200"] and b'"replica"' in rest:
                first.setdefault(url, time.monotonic())
        finally:
            if mine:
                accepted.discard(url)
            writer.close()
