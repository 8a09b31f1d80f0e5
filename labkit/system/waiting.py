"""Waiting, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_PAUSE_S = 0.1

T = TypeVar("T")


def until(condition: Callable[[], T], within_s: float, pause_s: float = _PAUSE_S) -> T:
    """Ask every `pause_s` seconds until the answer is true; the last answer, which is not after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()) and time.monotonic() <= deadline:
        time.sleep(pause_s)
    return answer
