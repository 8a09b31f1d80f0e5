"""Interruptions that wait until something has been put right."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def caught(take: Callable[[int], object], numbers: Collection[int] = INTERRUPTS) -> Iterator[None]:
    """These signals come to `take` while inside, and afterwards go where they went before. In the main thread only."""
    before = {number: signal.signal(number, lambda came, _frame: take(came)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts_wait(tell: Callable[[str], None] | None = None, doing: str = "") -> Iterator[None]:
    """INT and TERM that come inside act at its end. With `tell` the person hears why nothing happens at once."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int) -> None:
        came.append(number)
        if tell is not None:
            tell(f"Interrupted: {doing} first; this is bounded.")

    with caught(note, [number for number in INTERRUPTS if callable(signal.getsignal(number))]):
        yield
    for late in came[:1]:
        signal.raise_signal(late)
