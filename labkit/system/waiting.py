"""Waiting, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable

_PAUSE_S = 0.1


def until(condition: Callable[[], bool], within_s: float, pause_s: float = _PAUSE_S) -> bool:
    """Wait for a condition; whether it came true within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True
