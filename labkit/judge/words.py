"""A judgement in plain sentences, and numbers with their units: one rule for the terminal and the pages. Pure.

Sentences are plain text; `quantity` puts a no-break space between a number and its unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from infra.sides import KINDS, SideKind
from labkit.judge.model import Claim, Judgement, Measured, Metric, Spread
from labkit.runs.records import Arm

EMULATED = "EMULATED CPU (TCG)"

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


def named(arm: Arm, kinds: Mapping[str, SideKind] = KINDS) -> str:
    """An arm in a sentence or beside a number: "VM", "VM (bridged)"; a side that nobody knows by its own name."""
    word = kinds[arm.side].word if arm.side in kinds else arm.side
    return f"{word} ({', '.join(arm.factors.values())})" if arm.factors else word


def predicted(claim: Claim, word: str) -> str:
    """What one predicts of a claim, as a person reads it: an arm by its name, all else as it is."""
    arms = claim.arms if isinstance(claim, Measured) else ()
    return next((named(arm) for arm in arms if str(arm) == word), word)


def upper_bounds(kinds: Mapping[str, SideKind] = KINDS) -> str:
    """What an emulated CPU makes of the sides that have a kernel of their own, without the last point."""
    whose = " and ".join(f"the {kind.word}'s" for kind in kinds.values() if not kind.shares_kernel)
    return f"{whose} times and CPU are upper bounds"


def banner(kinds: Mapping[str, SideKind] = KINDS) -> str:
    """What stands above everything that an emulated CPU has a part in."""
    return f"{EMULATED}: {upper_bounds(kinds)}."


def verdict(judgement: Judgement) -> str:
    """The verdict with its reason: "Not decidable here: n too small: …"."""
    return " ".join(
        text for text in (_sentence(f"{judgement.verdict}: {judgement.reason}"), _beside(judgement)) if text
    )


def reason(judgement: Judgement) -> str:
    """Why the verdict is what it is, with how many repeats would do where there were too few."""
    return " ".join(text for text in (_sentence(judgement.reason), advice(judgement), _beside(judgement)) if text)


def _beside(judgement: Judgement) -> str:
    because = judgement.claim.beside
    return _sentence(f"beside the row, as {because}") if because else ""


def compared(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> str:
    """Which arm is divided by which: "VM ÷ container"; empty for an observed claim."""
    return " ÷ ".join(named(spread.arm, kinds) for spread in judgement.spreads)


def interval(judgement: Judgement) -> str:
    """The 95 % interval of the ratio: "8.02 to 10.1"; empty where there is none."""
    return " to ".join(number(end) for end in judgement.interval or ())


def medians(judgement: Judgement, kinds: Mapping[str, SideKind] = KINDS) -> str:
    """What each arm gave: "VM 12.4 s (11.9 s to 13.0 s), n = 10; …". Empty for an observed claim."""
    unit = judgement.claim.metric.unit if isinstance(judgement.claim, Measured) else ""
    return "; ".join(f"{named(one.arm, kinds)} {_spread(one, unit)}, n = {one.n}" for one in judgement.spreads)


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


def _spread(spread: Spread, unit: str) -> str:
    if not spread.n or spread.least == spread.most:
        return quantity(spread.median, unit)
    median, least, most = quantities((spread.median, spread.least, spread.most), unit)
    return f"{median} ({least} to {most})"


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


def _sentence(text: str) -> str:
    end = "" if not text or text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + end
