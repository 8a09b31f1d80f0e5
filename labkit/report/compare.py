"""Two runs side by side: the same claims on two machines, and in what the machines differ. Pure but for plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.judge.model import Claim, Judgement, Measured, Row
from labkit.judge.outcome import DECIDED
from labkit.report import _plots, _view, html, quantities, series
from labkit.report.series import Series
from labkit.runs.records import Run


@dataclass(frozen=True)
class Judged:
    """A run with its verdicts and the letter by which the page calls it."""

    letter: str
    run: Run
    rows: Sequence[Row]

    @property
    def parts(self) -> dict[str, Judgement]:
        """Claim -> its judgement."""
        return {part.claim.name: part for row in self.rows for part in row.parts}


@dataclass(frozen=True)
class Pair:
    """One claim on both machines; a judgement is None where that run does not know the claim."""

    claim: Claim
    judgements: tuple[Judgement | None, ...]
    svg: str

    @property
    def says(self) -> str:
        """Whether the two verdicts agree, contradict each other, or cannot be held against each other."""
        found = [part.verdict for part in self.judgements if part]
        if len(found) < len(self.judgements):
            return "only in one run"
        decided = [verdict for verdict in found if verdict in DECIDED]
        if len(decided) < len(found):
            return "decided on one alone" if decided else "decided on neither"
        return "the same on both" if len(set(decided)) == 1 else "they contradict each other"


def page(first: tuple[Run, Sequence[Row]], second: tuple[Run, Sequence[Row]]) -> str:
    """The page of two runs, called A and B."""
    both = (Judged("A", *first), Judged("B", *second))
    return html.render(
        "compare.html.j2",
        both=both,
        pairs=pairs(both),
        machine=differences(*(one.run.machine for one in both)),
        settings=differences(*(one.run.settings for one in both)),
    )


def pairs(both: Sequence[Judged]) -> list[Pair]:
    """Every claim of either run, in the order of the first."""
    claims = {part.claim.name: part.claim for one in both for part in one.parts.values()}
    return [
        Pair(claim, tuple(one.parts.get(name) for one in both), _drawn(claim, both)) for name, claim in claims.items()
    ]


def differences(*boxes: Mapping[str, Any]) -> list[_view.Fact]:
    """Every entry of the boxes with its value in each."""
    names = dict.fromkeys(name for box in boxes for name in box)
    return [_view.Fact(str(name), tuple(_view.told(box.get(name, "—")) for box in boxes)) for name in names]


def _drawn(claim: Claim, both: Sequence[Judged]) -> str:
    if not isinstance(claim, Measured):
        return ""
    arms = series.arms_of(experiment for one in both for experiment in one.run.experiments)
    lines = [
        dataclasses.replace(line, label=f"{one.letter}: {line.label}")
        for one in both
        if (experiment := one.run.experiment(claim.metric.experiment)) is not None
        for line in series.of_claim(experiment, claim, arms).lines
        if line.points
    ]
    if not lines:
        return ""
    made = Series(quantities.label_of(claim.metric.name), claim.metric.unit, tuple(lines))
    return _plots.strip(made)
