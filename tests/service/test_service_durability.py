"""What was acknowledged is on the disk, whatever happens; what could not be stored is not acknowledged."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from infra.answers import Service
from service.store import LOCK_WAIT_S, TURN_WAIT_S
from tests.pace import slower
from tests.service.running import PROBLEM, Replica, entry, replica, stored
from tests.service.strace_order import STRACE_OPTIONS, check_order

SEED = 20251123
REFUSAL_S = LOCK_WAIT_S + TURN_WAIT_S + 1.5
"""The service's bound for a refusal, and room for a busy machine."""


@dataclass
class Ledger:
    """Writes one after the other, and keeps what was acknowledged; a write without an answer is sent again later."""

    next_seq: int = 0
    acknowledged: list[int] = field(default_factory=list)
    repeats_found: int = 0

    def write_until_lost(self, running: Replica) -> None:
        """Write until the service is gone, or `next_seq` has come far enough for any test."""
        with running.client() as client:
            while self.next_seq < 5000:
                try:
                    status = client.post("/entries", json=entry(self.next_seq, f"p{self.next_seq}")).status_code
                except requests.RequestException:
                    return
                assert status in {200, 201}
                self.repeats_found += status == 200
                self.acknowledged.append(self.next_seq)
                self.next_seq += 1

    def check(self, running: Replica) -> None:
        """Each acknowledged write is there once, and nothing else but the one without an answer."""
        with running.client() as client:
            found = stored(client)
        assert len(found) == len(set(found))
        assert set(self.acknowledged) <= {seq for seq, _ in found}
        assert found == [(seq, f"p{seq}") for seq in range(len(found))]
        assert len(found) <= self.next_seq + 1


def test_kills_at_random_instants_lose_and_double_no_acknowledged_write(data_dir: Path) -> None:
    instants = random.Random(SEED)  # noqa: S311 - only has to be the same each time
    ledger = Ledger()
    for _ in range(8):
        with replica(data_dir) as running:
            ledger.check(running)
            killer = threading.Timer(instants.uniform(0.01, 0.4), running.process.kill)
            killer.start()
            ledger.write_until_lost(running)
            killer.join()
    with replica(data_dir) as running:
        ledger.check(running)
    assert len(ledger.acknowledged) > 8


@pytest.mark.parametrize(
    ("call", "when"),
    [("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3), ("/^send", 2), ("/^send", 4), ("/^send", 5)],
)
def test_a_kill_between_write_and_answer_leaves_a_write_that_can_be_repeated(
    data_dir: Path, call: str, when: int
) -> None:
    """Killed at the very system call: before the fsync, or after it and before the answer leaves."""
    ledger = Ledger()
    with replica(data_dir) as running, strace(running, "-f", "-e", f"inject={call}:signal=SIGKILL:when={when}"):
        ledger.write_until_lost(running)
        running.process.wait(10)
    with replica(data_dir) as running:
        ledger.check(running)
        with running.client() as client:
            answer = client.post("/entries", json=entry(ledger.next_seq, f"p{ledger.next_seq}"))
            again = client.post("/entries", json=entry(ledger.next_seq, f"p{ledger.next_seq}"))
            assert answer.status_code in {200, 201}
            assert again.status_code == 200
            assert len(stored(client)) == ledger.next_seq + 1


def test_every_201_is_sent_after_the_fsync_returned(data_dir: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with replica(data_dir) as running, ExitStack() as stack:
        clients = [stack.enter_context(running.client()) for _ in range(3)]
        with strace(running, *STRACE_OPTIONS, "-o", str(trace)):
            threads = [threading.Thread(target=_write_ten, args=(http, f"c{i}")) for i, http in enumerate(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
    order = check_order(trace.read_text(encoding="utf-8"))
    assert order.violations == ()
    assert order.acknowledged == 30


def _write_ten(client: Service, name: str) -> None:
    for seq in range(10):
        client.post("/entries", json=entry(seq, client=name))


@pytest.mark.parametrize("full_at_start", [False, True])
def test_a_full_disk_refuses_writes_and_loses_none_and_recovers(data_dir: Path, full_at_start: bool) -> None:
    filler_kib = 1024 if full_at_start else 600
    with replica(data_dir, prefix=small_disk(data_dir, filler_kib)) as running, running.client() as client:
        filler = Path(f"/proc/{running.pid}/root{data_dir}/filler")
        acknowledged = []
        refused = None
        for seq in range(200):
            answer = client.post("/entries", json=entry(seq, "x" * 4096))
            if answer.status_code != 201:
                refused = answer
                break
            acknowledged.append(seq)
        assert refused is not None
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, PROBLEM)
        if full_at_start:
            assert acknowledged == []
            assert client.get("/healthz").status_code == 503
        else:
            assert refused.json()["reason"] == "SQLITE_FULL"
            assert acknowledged
            assert client.get("/healthz").status_code == 200
            assert [seq for seq, _ in stored(client)] == acknowledged
        filler.unlink()
        assert client.post("/entries", json=entry(len(acknowledged), "x" * 4096)).status_code == 201
        assert client.get("/healthz").status_code == 200
        assert [seq for seq, _ in stored(client)] == [*acknowledged, len(acknowledged)]


def test_a_locked_database_refuses_writes_within_the_bound_and_reads_go_on(data_dir: Path) -> None:
    with replica(data_dir) as running, running.client() as client:
        assert client.post("/entries", json=entry(0)).status_code == 201
        with closing(sqlite3.connect(data_dir / "entries.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            before, refusals = slower(), list[tuple[requests.Response, float]]()
            threads = [threading.Thread(target=_timed_write, args=(running, seq, refusals)) for seq in range(1, 9)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                assert client.get("/healthz").status_code == 200
                assert stored(client) == [(0, "x")]
                time.sleep(0.05)
            other.execute("ROLLBACK")
        assert [(answer.status_code, answer.json()["reason"]) for answer, _ in refusals] == [(503, "SQLITE_BUSY")] * 8
        assert max(seconds for _, seconds in refusals) < REFUSAL_S * max(before, slower())
        assert client.post("/entries", json=entry(1)).status_code == 201
        assert stored(client) == [(0, "x"), (1, "x")]


def test_a_database_locked_at_the_start_is_opened_when_it_is_free(data_dir: Path) -> None:
    with replica(data_dir):
        pass
    with closing(sqlite3.connect(data_dir / "entries.sqlite3", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with replica(data_dir) as running, running.client() as client:
            assert client.get("/healthz").status_code == 503
            assert client.post("/entries", json=entry(0)).status_code == 503
            other.execute("ROLLBACK")
            other.close()
            assert client.post("/entries", json=entry(0)).status_code == 201
            assert client.get("/healthz").status_code == 200


def _timed_write(running: Replica, seq: int, into: list[tuple[requests.Response, float]]) -> None:
    with running.client() as client:
        begin = time.monotonic()
        answer = client.post("/entries", json=entry(seq))
        into.append((answer, time.monotonic() - begin))


def small_disk(data_dir: Path, filler_kib: int) -> tuple[str, ...]:
    """A prefix that gives the command its own 1 MiB disk as data directory, holding a filler of that size.

    The mount is in a mount namespace of the process and ends with it.
    """
    fill = '{ head -c "$2"K /dev/zero > "$1/filler" 2>/dev/null || true; }'
    script = f'mount -t tmpfs -o size=1m none "$1" && {fill} && shift 2 && exec "$@"'
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-Urm")
    return (*unshare, "sh", "-c", script, "sh", str(data_dir), str(filler_kib))


@contextmanager
def strace(running: Replica, *options: str) -> Iterator[None]:
    """Trace all threads of the service within this block."""
    ready = running.log_file.with_suffix(".strace")
    with ready.open("wb") as stderr:
        tracer = subprocess.Popen(["strace", "-p", str(running.pid), *options], stderr=stderr)
    try:
        deadline = time.monotonic() + 60
        while "attached" not in ready.read_text(errors="replace", encoding="utf-8"):
            assert tracer.poll() is None, ready.read_text(errors="replace", encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        tracer.terminate()
        tracer.wait(60)
