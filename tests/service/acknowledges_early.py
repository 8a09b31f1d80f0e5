"""`python3 -m tests.service.acknowledges_early`: the service with a fault: it confirms, and commits later."""

from __future__ import annotations

import asyncio
import runpy
import sqlite3
import time
from typing import Any

from service.store import Store

LATER_S = 0.5

_under_way: set[asyncio.Task[None]] = set()


async def _early(store: Any, client: str, seq: int, payload: str) -> bool:
    task = asyncio.create_task(_commit(store, (client, seq, payload, time.time())))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return True


async def _commit(store: Any, entry: tuple[str, int, str, float]) -> None:
    """Each by itself: at every moment some are confirmed and not committed."""
    await asyncio.sleep(LATER_S)

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", entry)
        connection.execute("COMMIT")

    await store._writer.run(write)


if __name__ == "__main__":
    setattr(Store, "add", _early)  # noqa: B010 - this is the fault
    runpy.run_module("service", run_name="__main__")
