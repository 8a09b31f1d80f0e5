"""From a run and its judged rows to what is drawn and tabled: every repeat of a metric, and stages. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.judge.model import Measured
from labkit.judge.words import named
from labkit.report import quantities
from labkit.runs.records import Arm, Repeat, Results, Stage

Kind = Literal["counts", "warm-up", "marked"]

PRESSED_FROM = 10.0
"""Largest over smallest value from which a linear axis would press the smaller ones into a line."""


@dataclass(frozen=True)
class Point:
    """One repeat's value. `kind` tells whether it enters the median."""

    number: int
    value: float
    kind: Kind
    why: str = ""
    """The marks of a marked repeat."""


@dataclass(frozen=True)
class Line:
    """All repeats of one arm (of one run, where several are compared)."""

    label: str
    arm: Arm
    points: tuple[Point, ...]
    failed: tuple[str, ...] = ()
    """The problem of each repeat without a value."""
    resolution_s: float | None = None
    """The coarsest source among the stages of the repeats that count."""
    value: str = ""
    """The name of the value that was read …"""
    action: str = ""
    """… and the action of the repeats, empty for those of all actions."""

    @property
    def values(self) -> tuple[float, ...]:
        """What enters the median."""
        return tuple(point.value for point in self.points if point.kind == "counts")

    @property
    def median(self) -> float:
        """NaN when nothing counts."""
        return statistics.median(self.values) if self.values else float("nan")


@dataclass(frozen=True)
class Series:
    """A metric with the repeats of each arm."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    action: str = ""
    exact: bool = False


@dataclass(frozen=True)
class StageSpread:
    """A stage over all repeats that count, in seconds."""

    name: str
    source: str
    resolution_s: float
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the repeats that have this stage."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class StageBar:
    """Where the time of one arm went: the repeat in the middle, as it was; over all, each one's whole time and each
    stage's spread.
    """

    arm: Arm
    number: int
    stages: tuple[Stage, ...]
    points: tuple[Point, ...]
    spreads: tuple[StageSpread, ...]

    @property
    def total(self) -> float:
        """Seconds."""
        return sum(stage.s for stage in self.stages)

    @property
    def longest(self) -> float:
        """Seconds of the repeat that took most."""
        return max(point.value for point in self.points)


def of_claim(experiment: Results, claim: Measured, arms: Sequence[Arm]) -> Series:
    """Every repeat of a claim's metric, of all arms: those that it does not name stand beside."""
    metric = claim.metric
    lines = tuple(_line(acting(experiment, arm, metric.action), metric.value, arm, metric.action) for arm in arms)
    return Series(quantities.label_of(metric.name), metric.unit, lines, metric.action, metric.exact)


def _line(repeats: Sequence[Repeat], value: str, arm: Arm, action: str, label: str = "") -> Line:
    points = tuple(
        Point(repeat.number, repeat.values[value], _kind(repeat), "; ".join(repeat.marks))
        for repeat in repeats
        if not repeat.problem and value in repeat.values
    )
    failed = tuple(f"repeat {repeat.number}: {repeat.problem}" for repeat in repeats if repeat.problem)
    coarsest = [stage.resolution_s for repeat in repeats if repeat.counts for stage in repeat.stages]
    return Line(label or named(arm), arm, points, failed, max(coarsest, default=None), value, action)


def others(experiment: Results, claims: Iterable[Measured], arms: Sequence[Arm]) -> list[Series]:
    """Every value that no claim is about: they were measured, so they are shown.

    What was measured of several actions stands in one series, claimed ones included, so that they can be compared.
    """
    claims = list(claims)
    actions: dict[str, dict[str, None]] = {}
    for repeat in experiment.repeats:
        for name in repeat.values:
            actions.setdefault(name, {})[repeat.action] = None
    return [
        _other(experiment, name, list(acts), arms)
        for name, acts in actions.items()
        if not all(_claimed(name, action, claims) for action in acts)
    ]


def _other(experiment: Results, name: str, actions: Sequence[str], arms: Sequence[Arm]) -> Series:
    several = len(actions) > 1
    lines = [
        _line(repeats, name, arm, action, f"{named(arm)}, {action}" if several else "")
        for action in actions
        for arm in arms
        if (repeats := _doing(experiment, arm, action))
    ]
    unit = quantities.unit_of(name)
    return Series(
        quantities.label_of(name), unit, tuple(lines), "" if several else actions[0], exact=unit == quantities.BYTES
    )


def _claimed(value: str, action: str, claims: Sequence[Measured]) -> bool:
    return any(claim.metric.value == value and claim.metric.action in ("", action) for claim in claims)


def stage_bars(experiment: Results, action: str, arms: Sequence[Arm]) -> list[StageBar]:
    """One bar an arm that has stages: the repeat whose total is the median (the lower middle of an even number)."""
    bars = []
    for arm in arms:
        repeats = [one for one in _doing(experiment, arm, action) if one.counts and one.stages]
        if repeats:
            ordered = sorted(repeats, key=_total)
            middle = ordered[(len(ordered) - 1) // 2]
            points = tuple(Point(one.number, _total(one), "counts") for one in repeats)
            bars.append(StageBar(arm, middle.number, middle.stages, points, _spreads(repeats)))
    return bars


def one_axis(bars: Sequence[StageBar]) -> bool:
    """Whether bars are read against one another on one time axis, on which none of them is pressed into a line."""
    longest = [bar.longest for bar in bars]
    return len(bars) > 1 and max(longest) <= PRESSED_FROM * min(longest)


def actions(experiment: Results) -> list[str]:
    """What the experiment did, in the order of the first repeat of each."""
    return list(dict.fromkeys(one.action for one in experiment.repeats))


def arms_of(experiments: Iterable[Results]) -> list[Arm]:
    """The arms that have a repeat, in the order in which they took turns."""
    return list(dict.fromkeys(one.arm for experiment in experiments for one in experiment.repeats))


def acting(experiment: Results, arm: Arm, action: str = "") -> list[Repeat]:
    """The repeats of just this arm, of one action or of all."""
    return [one for one in experiment.repeats if one.arm == arm and action in ("", one.action)]


def _total(repeat: Repeat) -> float:
    return sum(stage.s for stage in repeat.stages)


def _spreads(repeats: Sequence[Repeat]) -> tuple[StageSpread, ...]:
    seen: dict[str, list[Stage]] = {}
    for repeat in repeats:
        for stage in repeat.stages:
            seen.setdefault(stage.name, []).append(stage)
    return tuple(
        StageSpread(name, stages[0].source, max(one.resolution_s for one in stages), tuple(one.s for one in stages))
        for name, stages in seen.items()
    )


def _doing(experiment: Results, arm: Arm, action: str) -> list[Repeat]:
    """Of no other action: where one has no name, it is an action like the others."""
    return [one for one in acting(experiment, arm) if one.action == action]


def _kind(repeat: Repeat) -> Kind:
    if repeat.number == 0:
        return "warm-up"
    return "marked" if repeat.marks else "counts"
