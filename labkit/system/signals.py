"""Interruptions that wait until something has been put right."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


@contextmanager
def interrupts_wait(tell: Callable[[str], None] | None = None, doing: str = "") -> Iterator[None]:
    """INT and TERM that come inside act at its end. With `tell` the person hears why nothing happens at once."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if tell is not None:
            tell(f"Interrupted: {doing} first; this is bounded.")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in came[:1]:
        signal.raise_signal(late)
