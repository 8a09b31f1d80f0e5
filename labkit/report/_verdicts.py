"""Words and signs of verdicts, predictions and bounds, the same in every report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from labkit.judge.model import BoundBy, Judgement, Verdict
from labkit.judge.outcome import outcome_of

ORDER: tuple[Verdict, ...] = ("holds", "does not hold", "not decidable here", "not comparable", "not measured")

SIGNS: dict[Verdict, str] = {
    "holds": "✓",
    "does not hold": "✗",
    "not decidable here": "?",
    "not comparable": "≠",
    "not measured": "○",
}
"""Beside the word, never instead of it."""

BOUND: dict[BoundBy, str] = {
    "bytes": "Counted bytes. How guest code runs does not change them.",
    "sharing": "What replicas can share. How guest code runs does not change it; QEMU's translation cache, "
    "which only an emulated CPU needs, is subtracted.",
    "timer": "A timer sets it. An emulated CPU hardly changes it.",
    "cpu": "CPU work. Without KVM a guest's figure is an upper bound: that it is slower or needs more can be refuted, "
    "never confirmed.",
    "memory": "Memory. Without KVM a guest's figure is an upper bound, as QEMU's translation cache comes on top.",
}
"""What `bound_by` means for a verdict."""


@dataclass(frozen=True)
class Prediction:
    """What the reader predicted of a claim, against what was seen. `hit` is None where the run cannot tell."""

    predicted: str
    seen: str
    """What came out, in the words in which one predicts; empty where there is nothing to say."""
    hit: bool | None

    @property
    def words(self) -> str:
        """`as predicted`, `a surprise` or `open`."""
        if self.hit is None:
            return "open"
        return "as predicted" if self.hit else "a surprise"


def slug(verdict: Verdict) -> str:
    """The verdict as a CSS class."""
    return verdict.replace(" ", "-")


class _HasVerdict(Protocol):
    @property
    def verdict(self) -> Verdict: ...


def count(rows: Iterable[_HasVerdict]) -> list[tuple[Verdict, int]]:
    """How many rows have each verdict that occurs, decided ones first."""
    counted = Counter(row.verdict for row in rows)
    return [(verdict, counted[verdict]) for verdict in ORDER if counted[verdict]]


def against(judgement: Judgement, predicted: str) -> Prediction:
    """A prediction held against a judgement."""
    outcome = outcome_of(judgement)
    return Prediction(predicted, outcome.word, outcome.hit(predicted))
