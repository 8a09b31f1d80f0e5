"""How long the rest of an experiment will take, from the turns that are done. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from labkit.measure.experiment import Experiment, Turn, turns


def left_s(done: Sequence[tuple[Turn, float]], todo: Sequence[Turn]) -> float | None:
    """Seconds for the turns to do: the mean of those of the same arm and action, else of all; None before the first.

    [(vm start, 10), (container start, 1)] and to do [vm start, container start, vm deploy] -> 10 + 1 + 5.5.
    """
    if not done:
        return None
    every = statistics.fmean(seconds for _, seconds in done)
    return sum(_like(turn, done) or every for turn in todo)


def estimate(experiments: Sequence[Experiment], sides: Sequence[str], *, quick: bool = False) -> str:
    """What a full run of these takes, for a person: "320 turns, about 290 min"."""
    every = [(one, turn) for one in experiments for turn in turns(one, sides, quick=quick, full=True)]
    known = [one.estimate_s(turn) for one, turn in every if one.estimate_s]
    told = f"{len(every)} turns"
    if not known:
        return told
    which = "" if len(known) == len(every) else f"{len(known)} of them take "
    return f"{told}, {which}about {sum(known) / 60:.0f} min"


def words(seconds: float | None) -> str:
    """The same for a person: "about 3 min left"."""
    if seconds is None:
        return "time left not known yet"
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"  # noqa: PLR2004 - minutes from there


def _like(turn: Turn, done: Sequence[tuple[Turn, float]]) -> float | None:
    alike = [seconds for one, seconds in done if (one.arm, one.action) == (turn.arm, turn.action)]
    return statistics.fmean(alike) if alike else None
