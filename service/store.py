"""The entries, in one SQLite file. What `add` has returned is on the disk: fsync came back before it did.

Journal: WAL with synchronous=FULL. A commit appends to the log and fsyncs it once (the rollback journal takes three
to four fsyncs), and a reader never waits for the writer. One thread writes and one thread reads, each with its own
connection, so that a slow fsync or a lock holds up no other request than those that need the same thing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

LOCK_WAIT_S = 0.5
"""How long one statement waits for another connection's lock."""
TURN_WAIT_S = 2.0
"""How long a request may wait for those before it. A refusal comes within TURN_WAIT_S + LOCK_WAIT_S."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    client TEXT NOT NULL, seq INTEGER NOT NULL, payload TEXT NOT NULL, stored_at REAL NOT NULL,
    PRIMARY KEY (client, seq)
) STRICT, WITHOUT ROWID
"""

T = TypeVar("T")


class StoreError(Exception):
    """The entry is not acknowledged, or cannot be read now; `reason` is SQLite's name of it, e.g. SQLITE_FULL."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ConflictError(Exception):
    """This client's seq is taken by another payload."""


@dataclass(frozen=True)
class Entry:
    """One acknowledged write. `stored_at` is in seconds since 1970, UTC."""

    client: str
    seq: int
    payload: str
    stored_at: float


class _Lane:
    """One thread with one connection, opened when first needed and again after a failure to open."""

    def __init__(self, path: Path, name: str, open_: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._open = open_
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self.submit(action))

    def submit(self, action: Callable[[sqlite3.Connection], T]) -> Future[T]:
        return self._thread.submit(self._turn, action, time.monotonic() + TURN_WAIT_S)

    def close(self) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _turn(self, action: Callable[[sqlite3.Connection], T], latest: float) -> T:
        if time.monotonic() > latest:
            raise StoreError("SQLITE_BUSY", f"no turn within {TURN_WAIT_S} s")
        try:
            if self._connection is None:
                self._connection = self._open(self._path)
            return action(self._connection)
        except sqlite3.OperationalError as error:
            raise StoreError(getattr(error, "sqlite_errorname", "SQLITE_ERROR"), str(error)) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Store:
    """The entries of one replica. Methods raise StoreError when the disk is full, the database locked and so on."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / "entries.sqlite3"
        self._writer = _Lane(path, "store-write", _open_writer)
        self._reader = _Lane(path, "store-read", _connect)

    def open(self) -> None:
        """Open the database, or create it."""
        self._writer.submit(lambda _: None).result()

    async def ready(self) -> None:
        """The database is open; if it is not, try. Waits for no write."""
        if not self._writer.is_open:
            await self._writer.run(lambda _: None)

    async def add(self, client: str, seq: int, payload: str) -> bool:
        """True: stored, and on the disk. False: this very entry already was. ConflictError: another payload was."""
        return await self._writer.run(lambda connection: _add(connection, client, seq, payload))

    async def page(self, client: str, after: int, limit: int) -> list[Entry]:
        """At most `limit` entries of a client with seq > `after`, in order of seq."""
        query = "SELECT client, seq, payload, stored_at FROM entries WHERE client = ? AND seq > ? ORDER BY seq LIMIT ?"
        rows = await self._reader.run(lambda connection: connection.execute(query, (client, after, limit)).fetchall())
        return [Entry(*row) for row in rows]

    def close(self) -> None:
        """Close both connections; the last one folds the log into the database."""
        self._reader.close()
        self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None)


def _open_writer(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(_SCHEMA)
        _fold_log(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _fold_log(connection: sqlite3.Connection) -> None:
    """Write the log into the database, which syncs the log first.

    A process killed between write and fsync leaves entries in the log that can be read but may not be on the disk.
    After this, what can be read may be called stored.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError("SQLITE_BUSY", "another connection holds the log")


def _add(connection: sqlite3.Connection, client: str, seq: int, payload: str) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    known = payload
    try:
        insert = "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        stored = connection.execute(insert, (client, seq, payload, time.time())).rowcount == 1
        if not stored:
            query = "SELECT payload FROM entries WHERE client = ? AND seq = ?"
            (known,) = connection.execute(query, (client, seq)).fetchone()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if known != payload:
        raise ConflictError
    return stored
