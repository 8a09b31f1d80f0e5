"""Two runs, or two tables over all labs, side by side: the same claims, and in what the machines differ.

Pure but for plots.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.judge.model import Claim, Judgement, Measured, Row, Verdict
from labkit.judge.outcome import DECIDED
from labkit.judge.rows import ROWS
from labkit.report import _plots, _view, html, quantities, series
from labkit.report.as_text import told
from labkit.report.series import Series
from labkit.runs.records import Results, Run

Runs = Sequence[tuple[Run, Sequence[Row]]]
"""Runs with what was judged on each: one, or those of a table over all labs."""


@dataclass(frozen=True)
class Judged:
    """What is held against another: its runs and the letter by which the page calls it."""

    letter: str
    runs: Runs

    @property
    def parts(self) -> dict[tuple[str, str], Judgement]:
        """Lab and claim -> its judgement."""
        return {(run.lab, part.claim.name): part for run, rows in self.runs for row in rows for part in row.parts}

    @property
    def emulated(self) -> bool:
        """Whether an emulated CPU has a part in it."""
        return any(run.accelerator == "tcg" for run, _ in self.runs)

    @property
    def commits(self) -> list[str]:
        """Of the checkouts that its runs were made in."""
        return list(dict.fromkeys(run.commit for run, _ in self.runs))

    def drawn_from(self, lab: str, claim: Measured) -> Results | None:
        """The experiment that the claim's verdict rests on."""
        judged_here = (run for run, rows in self.runs if run.lab == lab and _judges(rows, claim))
        run = next(judged_here, None)
        return run.experiment(claim.metric.experiment) if run else None


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


def page(first: Runs, second: Runs, verdicts: Sequence[Mapping[str, Verdict]] = ()) -> str:
    """The page of two, called A and B; `verdicts` are those of the article's rows on each, where both are tables."""
    both = (Judged("A", first), Judged("B", second))
    return html.render(
        "compare.html.j2",
        both=both,
        rows=ROWS,
        verdicts=verdicts,
        pairs=pairs(both),
        machine=differences(*(_together(run.machine for run, _ in one.runs) for one in both)),
        settings=differences(*(_together(run.settings for run, _ in one.runs) for one in both)),
    )


def pairs(both: Sequence[Judged]) -> list[Pair]:
    """Every claim of either, by the article's rows, within a row in the order of the first."""
    claims = {key: part.claim for one in both for key, part in one.parts.items()}
    found = [
        Pair(claim, tuple(one.parts.get(key) for one in both), _drawn(key[0], claim, both))
        for key, claim in claims.items()
    ]
    return sorted(found, key=lambda one: ROWS.index(one.claim.row))


def differences(*boxes: Mapping[str, Any]) -> list[_view.Fact]:
    """Every entry of the boxes with its value in each."""
    names = dict.fromkeys(name for box in boxes for name in box)
    return [_view.Fact(str(name), tuple(told(box.get(name, "—")) for box in boxes)) for name in names]


def _together(boxes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The boxes of several runs as one: where they disagree, each value once."""
    found: dict[str, list[Any]] = {}
    for name, value in (item for box in boxes for item in box.items()):
        if value not in (seen := found.setdefault(name, [])):
            seen.append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _judges(rows: Sequence[Row], claim: Claim) -> bool:
    return any(part.claim.name == claim.name for row in rows for part in row.parts)


def _drawn(lab: str, claim: Claim, both: Sequence[Judged]) -> str:
    if not isinstance(claim, Measured):
        return ""
    found = {one.letter: experiment for one in both if (experiment := one.drawn_from(lab, claim)) is not None}
    arms = series.arms_of(found.values())
    lines = [
        dataclasses.replace(line, label=f"{letter}: {line.label}")
        for letter, experiment in found.items()
        for line in series.of_claim(experiment, claim, arms).lines
        if line.points
    ]
    if not lines:
        return ""
    made = Series(quantities.label_of(claim.metric.name), claim.metric.unit, tuple(lines))
    return _plots.strip(made)
