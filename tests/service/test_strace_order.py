"""The judge of traces: what it lets pass, and what it does not."""

from __future__ import annotations

import pytest

from tests.service.strace_order import check_order

READ = '10 recvfrom(9<socket:[1]>, "POST /entries HTTP/1.1\\r\\n"..., 262144, 0, NULL, NULL) = 180'
SYNC = "11 fdatasync(5</data/entries.sqlite3-wal>) = 0"
SENT = '10 sendto(9<socket:[1]>, "HTTP/1.1 201 Created\\r\\n"..., 170, 0, NULL, 0) = 170'

TRACES: dict[str, tuple[list[str], int, int]] = {
    "in order": ([READ, SYNC, SENT], 1, 0),
    "fsync left out": ([READ, SENT], 1, 1),
    "fsync after the answer": ([READ, SENT, SYNC], 1, 1),
    "fsync of the request before": ([SYNC, READ, SENT], 1, 1),
    "fsync failed": ([READ, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), SENT], 1, 1),
    "fsync of another file": ([READ, SYNC.replace("entries", "other"), SENT], 1, 1),
    "a plain fsync without names": (
        [READ.replace("<socket:[1]>", ""), "11 fsync(5) = 0", SENT.replace("<socket:[1]>", "")],
        1,
        0,
    ),
    "request read on another connection": ([READ.replace("(9", "(8"), SYNC, SENT], 1, 1),
    "fsync interleaved, returned before": (
        [
            READ,
            "11 fdatasync(5</data/entries.sqlite3-wal> <unfinished ...>",
            '10 recvfrom(7<socket:[2]>, "GET"..., 262144, 0, NULL, NULL) = 3',
            "11 <... fdatasync resumed>) = 0",
            SENT,
        ],
        1,
        0,
    ),
    "fsync interleaved, still under way": (
        [READ, "11 fdatasync(5</data/entries.sqlite3-wal> <unfinished ...>", SENT, "11 <... fdatasync resumed>) = 0"],
        1,
        1,
    ),
    "fsync begun before the request was read": (
        [
            "11 fdatasync(5</data/entries.sqlite3-wal> <unfinished ...>",
            READ,
            "11 <... fdatasync resumed>) = 0",
            SENT,
        ],
        1,
        1,
    ),
    "body read after the head": ([READ, SYNC, READ.replace("POST", "{"), SENT], 1, 1),
    "nothing to read is no request": (
        [
            READ,
            SYNC,
            "10 recvfrom(9<socket:[1]>, 0x1, 262144, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)",
            SENT,
        ],
        1,
        0,
    ),
    "one good, one bad": ([READ, SYNC, SENT, READ, SENT], 2, 1),
    "times and the terminal's form of thread ids": (
        [f"[pid {line[:2]}] 12:00:00.000001 {line[3:]}" for line in (READ, SYNC, SENT)],
        1,
        0,
    ),
    "answers to repeats need none": ([READ, SENT.replace("201 Created", "200 OK")], 0, 0),
    "strace's own lines": (["strace: Process 10 attached", READ, SYNC, SENT, "10 +++ exited with 0 +++"], 1, 0),
}


@pytest.mark.parametrize(("lines", "acknowledged", "violations"), TRACES.values(), ids=TRACES)
def test_a_trace_is_judged(lines: list[str], acknowledged: int, violations: int) -> None:
    order = check_order("\n".join(lines))
    assert (order.acknowledged, len(order.violations)) == (acknowledged, violations)
    assert order.holds == (acknowledged > 0 and violations == 0)
