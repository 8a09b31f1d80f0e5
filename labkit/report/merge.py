"""A class's runs on one page: each claim's spread over kinds of machine. Pure but for plots."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.judge import words
from labkit.judge.model import Claim, Judgement, Measured, Row, Verdict
from labkit.judge.outcome import DECIDED
from labkit.judge.rows import ROWS
from labkit.report import _plots, html
from labkit.report import _verdicts as verdicts
from labkit.report.article import LeftOut
from labkit.report.series import Line, Point, Series
from labkit.runs.records import Arm, Run


@dataclass(frozen=True)
class Entry:
    """One run of the class: the folder's name, the run and its verdicts."""

    name: str
    run: Run
    rows: Sequence[Row]

    @property
    def kind(self) -> str:
        """Kind of machine: its accelerator and cores."""
        cores = self.run.machine.get("cores", self.run.machine.get("cpus", "?"))
        return f"{self.run.accelerator.upper()}, {cores} {'core' if cores == 1 else 'cores'}"


@dataclass(frozen=True)
class OnKind:
    """A claim on one kind of machine."""

    kind: str
    verdicts: Mapping[Verdict, int]
    ratios: tuple[float, ...]
    """One a run that has a ratio."""

    @property
    def median(self) -> float:
        """Of the runs' ratios; NaN without any."""
        return statistics.median(self.ratios) if self.ratios else float("nan")


@dataclass(frozen=True)
class Merged:
    """A claim over the whole class."""

    claim: Claim
    kinds: tuple[OnKind, ...]
    svg: str
    predicted: Mapping[str, int]
    hits: int
    open: int

    @property
    def contradicts(self) -> bool:
        """Whether some runs say that it holds and others that it does not."""
        found = {verdict for kind in self.kinds for verdict in kind.verdicts}
        return found >= DECIDED


def page(entries: Sequence[Entry], broken: Sequence[LeftOut], *, place: str) -> str:
    """The page of all runs below `place`; those that could not be read are named."""
    kinds = Counter(entry.kind for entry in entries)
    return html.render(
        "merge.html.j2",
        entries=entries,
        broken=broken,
        place=place,
        kinds=sorted(kinds.items()),
        claims=merged(entries),
        unfair=unfair(entries),
        labs=sorted({entry.run.lab for entry in entries}),
    )


def unfair(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Folder -> why some of its claims are not comparable, each reason once; runs without such a claim are left out."""
    found = {
        entry.name: list(
            dict.fromkeys(part.reason for row in entry.rows for part in row.parts if part.verdict == "not comparable")
        )
        for entry in entries
    }
    return {name: reasons for name, reasons in found.items() if reasons}


def merged(entries: Sequence[Entry]) -> list[Merged]:
    """Every claim of any run, in the order of the article's rows, within a row in that in which they are met."""
    found: dict[tuple[str, str], list[tuple[Entry, Judgement]]] = {}
    for entry in entries:
        for part in (part for row in entry.rows for part in row.parts):
            found.setdefault((entry.run.lab, part.claim.name), []).append((entry, part))
    return sorted(map(_merged, found.values()), key=lambda one: ROWS.index(one.claim.row))


def _merged(found: Sequence[tuple[Entry, Judgement]]) -> Merged:
    claim = found[0][1].claim
    kinds = tuple(
        OnKind(
            kind,
            Counter(part.verdict for entry, part in found if entry.kind == kind),
            tuple(part.ratio for entry, part in found if entry.kind == kind and part.ratio is not None),
        )
        for kind in sorted({entry.kind for entry, _ in found})
    )
    guesses = [
        verdicts.against(part, entry.run.predictions[claim.name])
        for entry, part in found
        if claim.name in entry.run.predictions
    ]
    return Merged(
        claim,
        kinds,
        _drawn(claim, kinds),
        Counter(guess.predicted for guess in guesses),
        sum(guess.hit is True for guess in guesses),
        sum(guess.hit is None for guess in guesses),
    )


def _drawn(claim: Claim, kinds: Sequence[OnKind]) -> str:
    lines = tuple(
        Line(kind.kind, Arm("machines"), tuple(Point(n, ratio, "counts") for n, ratio in enumerate(kind.ratios, 1)))
        for kind in kinds
        if kind.ratios
    )
    if not lines or not isinstance(claim, Measured):
        return ""
    title = f"ratio of medians, {words.named(claim.greater)} ÷ {words.named(claim.other)}"
    return _plots.strip(Series(title, "", lines))
