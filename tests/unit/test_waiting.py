"""Waits and signals: each has its bound, and signals go back to whoever had them."""

from __future__ import annotations

import signal
from contextlib import suppress

from labkit.system.signals import caught
from labkit.system.waiting import until


def test_a_wait_gives_the_first_true_answer() -> None:
    """Whatever it is, and asks no more."""
    answers = iter(["", "", "healthy", "gone"])
    assert until(lambda: next(answers), 5, 0.001) == "healthy"
    assert next(answers) == "gone"


def test_a_wait_asks_once_at_least_and_ends_at_its_bound() -> None:
    """Also where the bound has passed."""
    asked: list[int] = []
    assert not until(lambda: asked.append(1), -1, 60)
    assert asked == [1]


def test_signals_are_told_inside_and_go_back_afterwards() -> None:
    """Also when the block raises."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with suppress(ValueError), caught(came.append):
        signal.raise_signal(signal.SIGTERM)
        raise ValueError
    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before
