"""A judgement in plain sentences, and numbers with their units: one rule for the terminal and the pages. Pure.

Sentences are plain text; `quantity` puts a no-break space between a number and its unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit.judge.model import Judgement, Measured, Metric, Spread
from labkit.sides.kinds import KINDS, SideKind

_NOTHING = "-"
_GAP = "\u00a0"
_FIGURES = 3

_SCALES: Mapping[str, Sequence[tuple[float, str]]] = {
    "bytes": ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes")),
    "MiB": ((1 << 20, "TiB"), (1 << 10, "GiB"), (1, "MiB"), (1 / (1 << 10), "KiB")),
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "ms": ((1e3, "s"), (1, "ms"), (1e-3, "µs")),
}
"""Unit -> the units that it is shown in, largest first, and how much of the former makes one of the latter."""


def quantity(value: float, unit: str) -> str:
    """One number with the unit that suits it. (1572864, "bytes") -> "1.50 MiB"; (0.34, "s") -> "340 ms"."""
    return quantities([value], unit)[0]


def quantities(values: Sequence[float], unit: str) -> tuple[str, ...]:
    """Numbers that are read together, all in the unit that suits the largest, each with three figures.

    A whole number of what cannot be divided (bytes, packages, nothing) is shown whole. NaN and infinity are "-".
    """
    size, shown = scale(values, unit)
    if not shown:
        return tuple(number(value / size) for value in values)
    gap = "" if shown == "%" or shown.startswith("/") else _GAP
    return tuple(f"{text}{gap}{shown}" if (text := number(value / size)) != _NOTHING else text for value in values)


def example(metric: Metric) -> str:
    """A metric on one number: "ready_s = 31.5 gives 31.5 s"."""
    return f"{metric.value} = {metric.example:g} gives {quantity(metric.example, metric.unit)}"


def verdict(judgement: Judgement) -> str:
    """The verdict with its reason: "Not decidable here: n too small: …"."""
    return _sentence(f"{judgement.verdict}: {judgement.reason}")


def medians(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> str:
    """What each side gave: "VM: median 12.4 s (11.9 s to 13.0 s, n = 10); …". Empty for an observed claim."""
    claim = judgement.claim
    if not isinstance(claim, Measured) or not judgement.spreads:
        return ""
    numbers = [number for one in judgement.spreads for number in (one.median, one.least, one.most)]
    texts = quantities(numbers, claim.metric.unit)
    sides = [
        f"{kinds[one.side].word}: {_spread(one, texts[3 * at : 3 * at + 3], exact=claim.metric.exact)}"
        for at, one in enumerate(judgement.spreads)
    ]
    return _sentence("; ".join(sides))


def comparison(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> str:
    """The ratio with its interval and what was worth naming; empty where there is none."""
    claim = judgement.claim
    if not isinstance(claim, Measured) or judgement.ratio is None or len(judgement.spreads) < 2:  # noqa: PLR2004 - two sides
        return ""
    greater, other = (kinds[spread.side].word for spread in judgement.spreads)
    what = "number" if claim.metric.exact else "median"
    told = f"the {greater}'s {what} is {number(judgement.ratio)} times the {other}'s"
    if judgement.interval:
        low, high = judgement.interval
        told += f" (95 % interval: {number(low)} to {number(high)})"
    why = f", as {claim.effect_because}" if claim.effect_because else ""
    return _sentence(f"{told}; the claim asks for at least {claim.effect:g} times{why}")


def advice(judgement: Judgement) -> str:
    """How many repeats would do, where there were too few; else empty."""
    if judgement.n_needed is None:
        return ""
    n = min((spread.n for spread in judgement.spreads), default=0)
    if judgement.interval is None:
        return _sentence(f"from {judgement.n_needed} repeats a side on there is a verdict to be had; these are {n}")
    return _sentence(
        f"about {judgement.n_needed} repeats a side would do, if medians and spread stay as they are; these are {n}"
    )


def left_out(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> tuple[str, ...]:
    """Which repeats are not among the numbers, and why."""
    return tuple(
        _sentence(f"not counted for the {kinds[side].word}: {'; '.join(reasons)}")
        for side, reasons in judgement.evidence.items()
        if side in kinds and isinstance(judgement.claim, Measured)
    )


def evidence(judgement: Judgement) -> tuple[str, ...]:
    """The facts behind an observed claim, one a line; empty for a measured one."""
    if isinstance(judgement.claim, Measured):
        return ()
    return tuple(f"{name}: {_fact(fact)}" for name, fact in judgement.evidence.items())


def sentences(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> tuple[str, ...]:
    """All there is to say, as it is best read: claim, verdict, numbers, what would do, cause, others' figures."""
    claim = judgement.claim
    told = (
        claim.text,
        verdict(judgement),
        comparison(judgement, kinds),
        medians(judgement, kinds),
        *left_out(judgement, kinds),
        *evidence(judgement),
        advice(judgement),
        f"Why: {claim.because}" if claim.because else "",
        f"Published elsewhere, not measured here: {claim.reference}" if claim.reference else "",
    )
    return tuple(text for text in told if text)


def _spread(spread: Spread, texts: Sequence[str], *, exact: bool) -> str:
    median, least, most = texts
    if not spread.n:
        return "no repeat counts"
    if exact and spread.least == spread.most:
        return median
    return f"median {median} ({least} to {most}, n = {spread.n})"


def scale(values: Iterable[float], unit: str) -> tuple[float, str]:
    """How much of `unit` makes one of the unit that suits the largest value, and that unit."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    scales = _SCALES.get(unit, ())
    if not largest or not scales:
        return 1.0, unit
    return next(((size, shown) for size, shown in scales if largest >= size), scales[-1])


def number(value: float) -> str:
    """Three figures, whole numbers whole, thousands apart. NaN and infinity are "-"."""
    if not math.isfinite(value):
        return _NOTHING
    if value == int(value):
        return f"{int(value):,}".replace(",", _GAP)
    magnitude = math.floor(math.log10(abs(float(f"{value:.{_FIGURES}g}"))))
    return f"{value:,.{max(0, _FIGURES - 1 - magnitude)}f}".replace(",", _GAP)


def _fact(fact: Any) -> str:
    return ", ".join(map(str, fact)) if isinstance(fact, (list, tuple, set, frozenset)) else str(fact)


def _sentence(text: str) -> str:
    end = "" if text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + end
