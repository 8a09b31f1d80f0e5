"""What the tables of a run show, as rows of values. Pure; whoever lays them out decides how they look."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.judge.model import Judgement, Measured, Row, Spread
from labkit.report.quantities import unit_of
from labkit.report.series import actions, sides_of
from labkit.runs.records import Repeat, Results, Run


@dataclass(frozen=True)
class Figure:
    """A value of one experiment and action, on each side, with the ratio where a claim is about it."""

    experiment: str
    action: str
    name: str
    unit: str
    spreads: tuple[Spread, ...]
    judgement: Judgement | None = None


@dataclass(frozen=True)
class StageLine:
    """A stage of one side's action: median of the repeats that have it."""

    experiment: str
    action: str
    side: str
    name: str
    median_s: float
    share: float
    """Of the median total, 0 to 1."""
    n: int
    source: str
    resolution_s: float


def figures(run: Run, rows: Sequence[Row]) -> Iterator[Figure]:
    """All values of a run in the order in which they were measured."""
    for experiment in run.experiments:
        sides, every = sides_of([experiment]), actions(experiment)
        judged = _judged(experiment, every, rows)
        for action in every:
            for name in dict.fromkeys(name for one in _of(experiment, action) for name in one.values):
                spreads = tuple(spread(experiment, action, side, name) for side in sides)
                yield Figure(experiment.name, action, name, unit_of(name), spreads, judged.get((action, name)))


def _judged(experiment: Results, every: Sequence[str], rows: Sequence[Row]) -> dict[tuple[str, str], Judgement]:
    """Action and value -> the first judgement of just these repeats."""
    found: dict[tuple[str, str], Judgement] = {}
    for part in (part for row in rows for part in row.parts):
        if isinstance(part.claim, Measured) and part.claim.metric.experiment == experiment.name and part.spreads:
            metric = part.claim.metric
            # Who names no action judges those of all together, which is one figure's only where there is one.
            action = every[0] if not metric.action and len(every) == 1 else metric.action
            found.setdefault((action, metric.value), part)
    return found


def stage_lines(run: Run) -> Iterator[StageLine]:
    """The stages of each side's actions, in the order in which they happen."""
    for experiment in run.experiments:
        for action in actions(experiment):
            for side in sides_of([experiment]):
                yield from _stages(experiment, action, side)


def spread(experiment: Results, action: str, side: str, name: str) -> Spread:
    """The repeats of one side that count, for one value."""
    values = tuple(one.values[name] for one in experiment.of(side, action) if one.counts and name in one.values)
    if not values:
        return Spread(side, 0, float("nan"), float("nan"), float("nan"), ())
    return Spread(side, len(values), statistics.median(values), min(values), max(values), values)


def _of(experiment: Results, action: str) -> list[Repeat]:
    return [one for one in experiment.repeats if one.action == action]


def _stages(experiment: Results, action: str, side: str) -> Iterator[StageLine]:
    repeats = [one for one in _of(experiment, action) if one.side == side and one.counts and one.stages]
    if not repeats:
        return
    total_s = statistics.median(sum(stage.s for stage in one.stages) for one in repeats)
    # The repeat with the most stages gives the order.
    for first in max(repeats, key=lambda one: len(one.stages)).stages:
        found = [stage.s for one in repeats for stage in one.stages if stage.name == first.name]
        yield StageLine(
            experiment.name,
            action,
            side,
            first.name,
            statistics.median(found),
            statistics.median(found) / total_s if total_s else 0.0,
            len(found),
            first.source,
            first.resolution_s,
        )
