"""What this lab shows of its runs besides the figures that every lab has. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from infra.sides import KINDS
from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Table
from labkit.runs.records import Run

MOST = 8
"""Packages a side that are shown, the largest first; the run has all."""


def packages(run: Run, _rows: Sequence[Row]) -> Table:
    """Which Debian packages one side has and the other has not, with their installed bytes."""
    found = run.experiment("size")
    lines = [
        (KINDS[repeat.side].word, name, words.quantity(size, "bytes"))
        for repeat in (found.repeats if found else ())
        if repeat.counts
        for name, size in list(repeat.facts.get("packages_only_here_bytes", {}).items())[:MOST]
    ]
    return Table("Debian packages that one side alone has, the largest", ("side", "package", "installed"), lines)
