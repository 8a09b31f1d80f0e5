"""An outage in parts, from the instants that clusters, engines and the service noted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.measure.stages import REST_SHARE, UNEXPLAINED
from labkit.runs.records import Stage

DETECT, FENCE, PLACE, START, READY, ROUTE = "detect", "fence", "place", "start", "ready", "route"
PARTS = (DETECT, FENCE, PLACE, START, READY, ROUTE)
"""In their order: it is noticed; the lost server is off for sure; another one is told; the hypervisor or the engine has
started it; the service listens; the client is led there."""

NO_SOURCE = "no source told of {}"


@dataclass(frozen=True)
class Moment:
    """The instant at which a part ended, in seconds on any clock that all of an outage's have in common."""

    part: str
    at_s: float
    source: str
    resolution_s: float


def split(begin_s: float, end: Moment, moments: Iterable[Moment], parts: Sequence[str]) -> tuple[Stage, ...]:
    """The parts from the last good answer at `begin_s` to the first lasting one, which is the `end`. They sum to it.

    `parts` are those that this outage has, in their order. Of what came several times, as a start that failed, the last
    counts, but the first of what was noticed. Where nobody told of a part, it and the next one that was told of cannot
    be told apart: the two are `unexplained` if they are more than 5 % of it all, else they go to the latter.
    """
    total_s = end.at_s - begin_s
    chosen = _chosen(begin_s, end, list(moments), parts)
    found: list[Stage] = []
    before_s, silent = begin_s, []
    for part in parts:
        one = end if part == parts[-1] else chosen.get(part)
        if one is None:
            silent.append(part)
            continue
        s = one.at_s - before_s
        unexplained = bool(silent) and s > REST_SHARE * total_s
        why = NO_SOURCE.format(" or ".join(silent)) if unexplained else one.source
        found.append(Stage(UNEXPLAINED if unexplained else part, round(s, 4), why, one.resolution_s))
        before_s, silent = one.at_s, []
    return tuple(_joined(found))


def _chosen(begin_s: float, end: Moment, moments: Sequence[Moment], parts: Sequence[str]) -> dict[str, Moment]:
    chosen: dict[str, Moment] = {}
    until_s = end.at_s
    for part in reversed(parts[:-1]):
        fitting = [one for one in moments if one.part == part and begin_s < one.at_s <= until_s]
        if fitting:
            chosen[part] = (min if part == DETECT else max)(fitting, key=lambda one: one.at_s)
            until_s = chosen[part].at_s
    return chosen


def _joined(stages: Sequence[Stage]) -> Iterable[Stage]:
    """What is unexplained as one, where it is most."""
    rests = [one for one in stages if one.name == UNEXPLAINED]
    most = max(rests, key=lambda one: one.s, default=None)
    for one in stages:
        if one.name != UNEXPLAINED:
            yield one
        elif one is most:
            sources = "; ".join(rest.source for rest in rests)
            yield Stage(UNEXPLAINED, round(sum(rest.s for rest in rests), 4), sources, one.resolution_s)
