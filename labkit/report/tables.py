"""What the tables of a run show, as rows of values. Pure; whoever lays them out decides how they look."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.judge.model import Judgement, Measured, Row, Spread
from labkit.report.quantities import unit_of
from labkit.report.series import acting, actions, arms_of
from labkit.runs.records import Arm, Repeat, Results, Run


@dataclass(frozen=True)
class Figure:
    """A value of one experiment and action, on each arm that has it, with what the claims about it came to."""

    experiment: str
    action: str
    name: str
    unit: str
    spreads: tuple[Spread, ...]
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True)
class StageLine:
    """A stage of one arm's action: median of the repeats that have it."""

    experiment: str
    action: str
    arm: Arm
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
        arms, every = arms_of([experiment]), actions(experiment)
        judged = _judged(experiment, every, rows)
        for action in every:
            for name in dict.fromkeys(name for one in _of(experiment, action) for name in one.values):
                every_arm = tuple(spread(experiment, action, arm, name) for arm in arms)
                # An arm without a repeat that counts has no line, unless that is all there is to tell.
                spreads = tuple(one for one in every_arm if one.n) or every_arm
                parts = tuple(judged.get((action, name), ()))
                yield Figure(experiment.name, action, name, unit_of(name), spreads, parts)


def _judged(experiment: Results, every: Sequence[str], rows: Sequence[Row]) -> dict[tuple[str, str], list[Judgement]]:
    """Action and value -> the judgements of just these repeats."""
    found: dict[tuple[str, str], list[Judgement]] = {}
    for part in (part for row in rows for part in row.parts):
        if isinstance(part.claim, Measured) and part.claim.metric.experiment == experiment.name and part.spreads:
            metric = part.claim.metric
            # Who names no action judges those of all together, which is one figure's only where there is one.
            action = every[0] if not metric.action and len(every) == 1 else metric.action
            found.setdefault((action, metric.value), []).append(part)
    return found


def stage_lines(run: Run) -> Iterator[StageLine]:
    """The stages of each arm's actions, in the order in which they happen."""
    for experiment in run.experiments:
        for action in actions(experiment):
            for arm in arms_of([experiment]):
                yield from _stages(experiment, action, arm)


def spread(experiment: Results, action: str, arm: Arm, name: str) -> Spread:
    """The repeats of one arm that count, for one value."""
    values = tuple(one.values[name] for one in acting(experiment, arm, action) if one.counts and name in one.values)
    if not values:
        return Spread(arm, 0, float("nan"), float("nan"), float("nan"), ())
    return Spread(arm, len(values), statistics.median(values), min(values), max(values), values)


def _of(experiment: Results, action: str) -> list[Repeat]:
    return [one for one in experiment.repeats if one.action == action]


def _stages(experiment: Results, action: str, arm: Arm) -> Iterator[StageLine]:
    repeats = [one for one in _of(experiment, action) if one.arm == arm and one.counts and one.stages]
    if not repeats:
        return
    total_s = statistics.median(sum(stage.s for stage in one.stages) for one in repeats)
    # The repeat with the most stages gives the order.
    for first in max(repeats, key=lambda one: len(one.stages)).stages:
        found = [stage.s for one in repeats for stage in one.stages if stage.name == first.name]
        yield StageLine(
            experiment.name,
            action,
            arm,
            first.name,
            statistics.median(found),
            statistics.median(found) / total_s if total_s else 0.0,
            len(found),
            first.source,
            first.resolution_s,
        )
