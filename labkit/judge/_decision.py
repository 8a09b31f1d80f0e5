"""What the numbers of two sides alone say of a claim, whoever the sides are. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.judge.model import Verdict

RESAMPLES = 9_999
"""Bootstrap resamples: enough that the interval's ends are steady to about a hundredth of its width."""


@dataclass(frozen=True)
class Decision:
    """What numbers alone say of a claim."""

    verdict: Verdict
    reason: str
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    n_needed: int | None = None


def decide(
    greater: Sequence[float],
    other: Sequence[float],
    effect: float,
    *,
    minimum: int,
    seed: int,
    resamples: int = RESAMPLES,
) -> Decision:
    """Whether median(greater) / median(other) lies beyond `effect`, from at least `minimum` values a side."""
    from labkit.judge import _interval as interval  # noqa: PLC0415 - numpy takes a quarter of a second, and most commands end without it

    if min(*greater, *other) <= 0:
        return Decision("not decidable here", "a ratio needs values above 0, and not all of these are")
    ratio = statistics.median(greater) / statistics.median(other)
    n = min(len(greater), len(other))
    if n < minimum:
        return Decision(
            "not decidable here", f"n too small: {n} a side, and a verdict needs {minimum}", ratio, None, minimum
        )
    low, high = interval.of_ratio(greater, other, seed=seed, resamples=resamples)
    if interval.is_beyond(low, effect):
        return Decision("holds", f"the whole interval lies beyond {effect:g}", ratio, (low, high))
    if interval.is_beyond(effect, high):
        return Decision("does not hold", f"the whole interval lies below {effect:g}", ratio, (low, high))
    return Decision("not decidable here", f"n too small: the interval contains {effect:g}", ratio, (low, high))


def advised(
    decision: Decision, greater: Sequence[float], other: Sequence[float], effect: float, *, minimum: int, seed: int
) -> Decision:
    """The decision; where it is open between two sides with enough repeats, with the n that would probably close it."""
    from labkit.judge import _interval as interval  # noqa: PLC0415 - see decide

    if decision.verdict != "not decidable here" or decision.interval is None:
        return decision
    needed = interval.n_needed(greater, other, effect, seed=seed, minimum=minimum)
    if needed is not None:
        return dataclasses.replace(decision, n_needed=needed)
    close = f"the ratio lies so close to {effect:g} that even {interval.MOST} repeats a side would not decide"
    return dataclasses.replace(decision, reason=f"n too small: {close}")


def decide_exact(greater: Sequence[float], other: Sequence[float], effect: float) -> Decision:
    """The same for what is counted, not timed: one value a side is enough, and all repeats must give the same."""
    if len({*greater}) > 1 or len({*other}) > 1:
        return Decision("not comparable", "the repeats of one side disagree on what is counted and should never change")
    one, two = greater[0], other[0]
    ratio = one / two if two else None
    if one > two and one >= effect * two:
        return Decision("holds", f"counted exactly: at least {effect:g} times", ratio)
    return Decision("does not hold", f"counted exactly: less than {effect:g} times", ratio)


def seed_of(*words: str) -> int:
    """A seed from names alone: the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8])
