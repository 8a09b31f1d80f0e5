"""What the page of one run shows, section by section, as values that the template only lays out. Pure but for plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.judge import words
from labkit.judge.model import Judgement, Measured, Row
from labkit.report import _plots, _verdicts, quantities, series
from labkit.report.series import Line, Series, StageBar
from labkit.report.streams import Stream
from labkit.runs.records import Results, Run


@dataclass(frozen=True)
class Drawn:
    """A metric: its plot and, where a claim is about it, the judgement."""

    series: Series
    svg: str
    """Empty where every repeat failed."""
    judgement: Judgement | None = None

    @property
    def values(self) -> list[float]:
        """What counts on all sides: they are read together, so they share a unit."""
        return [value for line in self.series.lines for value in line.values]


@dataclass(frozen=True)
class DrawnStages:
    """Stage bars of one action, each with its plot."""

    action: str
    bars: tuple[tuple[StageBar, str], ...]


@dataclass(frozen=True)
class DrawnStreams:
    """Probe streams of one action on one time axis."""

    action: str
    streams: tuple[Stream, ...]
    svg: str


@dataclass(frozen=True)
class Fact:
    """A fact with its value on each side; `differs` where the sides disagree."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Worth a look."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class Section:
    """Everything of one experiment."""

    experiment: Results
    sides: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    predicted: Mapping[str, _verdicts.Prediction]
    """Claim -> what the reader predicted of it."""
    drawn: tuple[Drawn, ...]
    stages: tuple[DrawnStages, ...]
    streams: tuple[DrawnStreams, ...]
    facts: tuple[Fact, ...]
    conditions: tuple[Fact, ...]

    @property
    def numbers(self) -> list[tuple[Drawn, list[Line]]]:
        """What the table shows: each line once, though a claim and an overview may both draw it."""
        seen: set[tuple[str, str, str]] = set()
        rows = []
        for one in self.drawn:
            new = [line for line in one.series.lines if (line.side, line.value, line.action) not in seen]
            seen |= {(line.side, line.value, line.action) for line in new if line.points}
            rows.append((one, [line for line in new if line.points or line.failed]))
        return rows

    @property
    def points(self) -> dict[str, int]:
        """How many repeats count, were warm-ups, were marked, failed."""
        repeats = self.experiment.repeats
        return {
            "count": sum(one.counts for one in repeats),
            "warm-up": sum(one.number == 0 and not one.problem for one in repeats),
            "marked": sum(bool(one.marks) and one.number > 0 and not one.problem for one in repeats),
            "failed": sum(bool(one.problem) for one in repeats),
        }


def sections(run: Run, rows: Sequence[Row], streams: Sequence[Stream]) -> list[Section]:
    """One section an experiment, in the order in which they ran."""
    sides = series.sides_of(run.experiments)
    by_name = {one.name: one for one in streams}
    return [_section(run, rows, experiment, sides, by_name) for experiment in run.experiments]


def _section(
    run: Run, rows: Sequence[Row], experiment: Results, sides: Sequence[str], streams: Mapping[str, Stream]
) -> Section:
    judgements = tuple(
        part for row in rows for part in row.parts if _verdicts.experiment_of(part.claim) == experiment.name
    )
    present = [side for side in sides if experiment.of(side)]
    drawn: dict[tuple[str, str], Drawn] = {}
    for part in judgements:
        if isinstance(part.claim, Measured):
            one = series.of_claim(experiment, part.claim, present)
            if any(line.points or line.failed for line in one.lines):
                drawn.setdefault((part.claim.metric.name, one.action), Drawn(one, _strip(one, sides), part))
    claims = [part.claim for part in judgements if isinstance(part.claim, Measured)]
    rest = [Drawn(one, _strip(one, sides)) for one in series.others(experiment, claims, present)]
    return Section(
        experiment,
        tuple(present),
        judgements,
        {
            part.claim.name: _verdicts.against(part, run.predictions[part.claim.name])
            for part in judgements
            if part.claim.name in run.predictions
        },
        (*drawn.values(), *rest),
        tuple(_stages(experiment, present)),
        tuple(_streams(experiment, sides, streams)),
        facts(experiment, present, "facts"),
        facts(experiment, present, "conditions"),
    )


def _strip(one: Series, sides: Sequence[str]) -> str:
    return _plots.strip(one, sides) if any(line.points for line in one.lines) else ""


def _stages(experiment: Results, sides: Sequence[str]) -> list[DrawnStages]:
    every = ((action, series.stage_bars(experiment, action, sides)) for action in series.actions(experiment))
    return [DrawnStages(action, tuple((bar, _plots.stages(bar)) for bar in bars)) for action, bars in every if bars]


def _streams(experiment: Results, sides: Sequence[str], streams: Mapping[str, Stream]) -> list[DrawnStreams]:
    found: dict[str, list[Stream]] = {}
    for repeat in experiment.repeats:
        if repeat.stream in streams:
            which = f"repeat {repeat.number}" if repeat.number else "warm-up"
            labelled = dataclasses.replace(
                streams[repeat.stream], label=f"{series.word(repeat.side)}, {which}", side=repeat.side
            )
            found.setdefault(repeat.action, []).append(labelled)
    return [DrawnStreams(action, tuple(some), _plots.streams(some, sides)) for action, some in found.items()]


def facts(experiment: Results, sides: Sequence[str], of: str) -> tuple[Fact, ...]:
    """Facts (or conditions) of each side over its repeats; `5 different` where every repeat has its own."""
    found: dict[str, dict[str, list[Any]]] = {}
    for repeat in experiment.repeats:
        for name, value in getattr(repeat, of).items():
            seen = found.setdefault(str(name), {}).setdefault(repeat.side, [])
            if value not in seen:
                seen.append(value)
    return tuple(
        Fact(quantities.label_of(name), tuple(_told(by.get(side, []), quantities.unit_of(name)) for side in sides))
        for name, by in found.items()
    )


def told(value: Any, unit: str = "") -> str:
    """A fact's value as text: numbers with the unit, lists by commas, mappings as `name: value`.

    Of a mapping of numbers, such as packages and their bytes, the largest come first, and the rest as a sum.
    """
    if isinstance(value, Mapping):
        return _told_mapping(value, unit)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(told(one, unit) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.quantity(value, unit) if unit and isinstance(value, int | float) else str(value)


def _told_mapping(value: Mapping[Any, Any], unit: str) -> str:
    if len(value) <= _MOST or not all(isinstance(one, int | float) for one in value.values()):
        return ", ".join(f"{name}: {told(one, unit)}" for name, one in value.items()) or "none"
    ordered = sorted(value.items(), key=lambda item: -item[1])
    first = ", ".join(f"{name}: {told(one, unit)}" for name, one in ordered[:_MOST])
    rest = ordered[_MOST:]
    return f"{first}, and {len(rest)} more: {words.quantity(sum(one for _, one in rest), unit)}"


_MOST = 10
_FEW = 2


def _told(values: Sequence[Any], unit: str) -> str:
    if len(values) > _FEW:
        return f"{len(values)} different, such as {told(values[0], unit)}"
    return "; ".join(told(value, unit) for value in values) or "—"
