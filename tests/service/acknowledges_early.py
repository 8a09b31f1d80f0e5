"""`python3 -m tests.service.acknowledges_early`: the service with a fault: it confirms, and commits later."""

from __future__ import annotations

import asyncio
import runpy
import sqlite3
import time
from typing import Any

from service.store import Store

LATER_S = 0.5

_waiting: list[tuple[str, int, str, float]] = []
_under_way: set[asyncio.Task[None]] = set()


async def _early(store: Any, client: str, seq: int, payload: str) -> bool:
    if not _waiting:
        task = asyncio.create_task(_commit(store))
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)
    _waiting.append((client, seq, payload, time.time()))
    return True


async def _commit(store: Any) -> None:
    await asyncio.sleep(LATER_S)
    batch = list(_waiting)
    _waiting.clear()

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", batch)
        connection.execute("COMMIT")

    await store._writer.run(write)


if __name__ == "__main__":
    setattr(Store, "add", _early)  # noqa: B010 - this is the fault
    runpy.run_module("service", run_name="__main__")
