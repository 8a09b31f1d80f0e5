"""When each request leaves. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple


class Due(NamedTuple):
    """A request that is to leave `scheduled_s` seconds after the start."""

    scheduled_s: float
    kind: str
    seq: int


def schedule(reads_per_s: float, writes_per_s: float, duration_s: float) -> Iterator[Due]:
    """Every request of `duration_s` seconds, in order.

    Reads leave at 0, 1, 2, … times their period, writes in the middle of theirs, so that the two rarely coincide.
    Instants are multiples, never sums: nothing drifts.
    """
    return heapq.merge(
        _every("read", reads_per_s, 0.0, duration_s),
        _every("write", writes_per_s, 0.5, duration_s),
    )


def _every(kind: str, per_s: float, offset: float, duration_s: float) -> Iterator[Due]:
    seq = 0
    while per_s and (at_s := (seq + offset) / per_s) < duration_s:
        yield Due(at_s, kind, seq)
        seq += 1
