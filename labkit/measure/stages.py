"""A measured time in parts, from instants that engines, kernels and init noted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.runs.records import Stage

UNEXPLAINED = "unexplained"
REST_SHARE = 0.05
"""Share of the total up to which a rest needs no name of its own."""

SAME_S = 1e-3
"""Instants this near to each other are one: finer than any source resolves."""


@dataclass(frozen=True)
class Mark:
    """The instant at which a stage ended, in seconds on the clock of whoever measures."""

    ends: str
    at_s: float
    source: str
    resolution_s: float


def between(begin_s: float, marks: Sequence[Mark], end: Mark, *, last: str = "") -> tuple[Stage, ...]:
    """The stages from `begin_s` to the instant of `end`, which is itself the end of a stage. They sum to the total.

    Marks outside of it belong to something else and are left out. `last` names the mark after which nothing but
    `end`'s own stage is left to happen: where it was not seen, and more than 5 % of the total lies behind the last
    mark that was, that rest is `unexplained`.

    begin 10, marks at 11 ("engine") and 14 ("listening"), end at 15 -> engine 1, listening 3, end's 1.
    """
    inside = sorted((mark for mark in marks if begin_s < mark.at_s < end.at_s), key=lambda mark: mark.at_s)
    rest_s = end.at_s - (inside[-1].at_s if inside else begin_s)
    seen = not last or any(mark.ends == last for mark in inside)
    if not seen and rest_s > REST_SHARE * (end.at_s - begin_s):
        end = Mark(UNEXPLAINED, end.at_s, f"no source told when {last!r} ended", end.resolution_s)
    found, before_s = [], begin_s
    for mark in (*inside, end):
        # Two sources that tell the same instant tell of one thing; the first one named it.
        if mark is end or mark.at_s - before_s > SAME_S:
            found.append(Stage(mark.ends, round(mark.at_s - before_s, 4), mark.source, mark.resolution_s))
            before_s = mark.at_s
    return tuple(found)
