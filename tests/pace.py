"""What must go fast is held to the second on an idle machine, and to as many as it takes on one that is busy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_WORK_S = 0.1


@contextmanager
def at_once(bound_s: float) -> Iterator[None]:
    """The block takes less than this where nothing else runs; beside other work as many times more as all is slower.

    How much slower is seen by a little work before the block and after it.
    """
    before = slower()
    begin = time.monotonic()
    yield
    took_s, times = time.monotonic() - begin, max(before, slower())
    assert took_s < bound_s * times, f"{took_s:.2f} s, where all takes {times:.1f} times as long as alone"


def slower() -> float:
    """How many times longer than alone a little work takes now: 1 where nothing else runs."""
    begin, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < _WORK_S:
        pass
    return max(1.0, (time.monotonic() - begin) / _WORK_S)
