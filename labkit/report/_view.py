"""What the page of one run shows, section by section, as values that the template only lays out. Pure but for plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.judge import words
from labkit.judge.model import Judgement, Measured, Row
from labkit.report import _plots, _verdicts, quantities, series
from labkit.report.as_text import told
from labkit.report.series import Line, Series, StageBar
from labkit.report.streams import Stream
from labkit.runs.records import Arm, Results, Run


@dataclass(frozen=True)
class Drawn:
    """A metric: its plot and the judgements of the claims that are about it."""

    series: Series
    svg: str
    """Empty where every repeat failed."""
    judgements: tuple[Judgement, ...] = ()

    @property
    def values(self) -> list[float]:
        """What counts on all arms: they are read together, so they share a unit."""
        return [value for line in self.series.lines for value in line.values]


@dataclass(frozen=True)
class DrawnStages:
    """Stage bars of one action, each with its plot; on one time axis or each on its own."""

    action: str
    bars: tuple[tuple[StageBar, str], ...]
    one_axis: bool


@dataclass(frozen=True)
class DrawnStreams:
    """Probe streams of one action on one time axis."""

    action: str
    streams: tuple[Stream, ...]
    svg: str


@dataclass(frozen=True)
class Fact:
    """A fact with its value on each arm; `differs` where the arms disagree."""

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
    arms: tuple[Arm, ...]
    telling: tuple[Arm, ...]
    """Those of which there are facts."""
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
        seen: set[tuple[Arm, str, str]] = set()
        rows = []
        for one in self.drawn:
            new = [line for line in one.series.lines if (line.arm, line.value, line.action) not in seen]
            seen |= {(line.arm, line.value, line.action) for line in new if line.points}
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
    by_name = {one.name: one for one in streams}
    return [_section(run, rows, experiment, by_name) for experiment in run.experiments]


def _section(run: Run, rows: Sequence[Row], experiment: Results, streams: Mapping[str, Stream]) -> Section:
    judgements = tuple(part for row in rows for part in row.parts if part.claim.experiment == experiment.name)
    present = [arm for arm in series.arms_of(run.experiments) if series.acting(experiment, arm)]
    claims = [part.claim for part in judgements if isinstance(part.claim, Measured)]
    claimed = {claim.metric: series.of_claim(experiment, claim, present) for claim in claims}
    drawn = [
        Drawn(one, _strip(one), tuple(part for part in judgements if metric == getattr(part.claim, "metric", None)))
        for metric, one in claimed.items()
        if any(line.points or line.failed for line in one.lines)
    ]
    rest = [Drawn(one, _strip(one)) for one in series.others(experiment, claims, present)]
    telling = [arm for arm in present if any(one.facts for one in experiment.of(arm))]
    return Section(
        experiment,
        tuple(present),
        tuple(telling),
        judgements,
        {
            part.claim.name: _verdicts.against(part, run.predictions[part.claim.name])
            for part in judgements
            if part.claim.name in run.predictions
        },
        (*drawn, *rest),
        tuple(_stages(experiment, present)),
        tuple(_streams(experiment, streams)),
        facts(experiment, telling, "facts"),
        facts(experiment, present, "conditions"),
    )


def _strip(one: Series) -> str:
    return _plots.strip(one) if any(line.points for line in one.lines) else ""


def _stages(experiment: Results, arms: Sequence[Arm]) -> list[DrawnStages]:
    every = ((action, series.stage_bars(experiment, action, arms)) for action in series.actions(experiment))
    return [_drawn_stages(action, bars) for action, bars in every if bars]


def _drawn_stages(action: str, bars: Sequence[StageBar]) -> DrawnStages:
    together, longest = series.one_axis(bars), max(bar.longest for bar in bars)
    drawn = tuple((bar, _plots.stages(bar, longest if together else bar.longest)) for bar in bars)
    return DrawnStages(action, drawn, together)


def _streams(experiment: Results, streams: Mapping[str, Stream]) -> list[DrawnStreams]:
    found: dict[str, list[Stream]] = {}
    for repeat in experiment.repeats:
        if repeat.stream in streams:
            which = f"repeat {repeat.number}" if repeat.number else "warm-up"
            label = f"{words.named(repeat.arm)}, {which}"
            labelled = dataclasses.replace(streams[repeat.stream], label=label, arm=repeat.arm)
            found.setdefault(repeat.action, []).append(labelled)
    return [DrawnStreams(action, tuple(some), _plots.streams(some)) for action, some in found.items()]


def facts(experiment: Results, arms: Sequence[Arm], of: str) -> tuple[Fact, ...]:
    """Facts (or conditions) of each arm over its repeats; `5 different` where every repeat has its own."""
    found: dict[str, dict[Arm, list[Any]]] = {}
    for repeat in experiment.repeats:
        for name, value in getattr(repeat, of).items():
            seen = found.setdefault(str(name), {}).setdefault(repeat.arm, [])
            if value not in seen:
                seen.append(value)
    return tuple(
        Fact(quantities.label_of(name), tuple(_told(by.get(arm, []), quantities.unit_of(name)) for arm in arms))
        for name, by in found.items()
    )


_FEW = 2


def _told(values: Sequence[Any], unit: str) -> str:
    if len(values) > _FEW:
        return f"{len(values)} different, such as {told(values[0], unit)}"
    return "; ".join(told(value, unit) for value in values) or "—"
