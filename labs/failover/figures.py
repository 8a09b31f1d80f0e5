"""What this lab shows of its runs besides the figures that every lab has. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from infra.sides import KINDS
from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Table
from labkit.measure.stages import UNEXPLAINED
from labkit.runs.records import Arm, Repeat, Run
from labs.failover.breaking import EXPERIMENTS
from labs.failover.outage import PARTS

NONE = "-"


def outages(run: Run, _rows: Sequence[Row]) -> Table:
    """For each fault and arm the client's outage and the median of each part that it has; how much of what was asked
    was answered, where the side is not meant to serve again. Parts that no outage has are left out.
    """
    broken = list(_broken(run))
    there = {stage.name for _, _, repeats in broken for one in repeats for stage in one.stages}
    parts = [part for part in (*PARTS, UNEXPLAINED) if part in there]
    lines = [(fault, words.named(arm), _outage(repeats), *_parts(repeats, parts)) for fault, arm, repeats in broken]
    head = ("fault", "side", "outage: median (least to most), n", *parts)
    return Table("How long a client was not served, and what took it", head, lines)


def _outage(repeats: Sequence[Repeat]) -> str:
    took = [one.values["outage_s"] for one in repeats if "outage_s" in one.values]
    if took:
        median, least, most = words.quantities((statistics.median(took), min(took), max(took)), "s")
        spread = f" ({least} to {most})" if len(took) > 1 else ""
        return f"{median}{spread}, n = {len(took)}"
    answered = [one.values["answered_percent"] for one in repeats if "answered_percent" in one.values]
    if not answered:
        return NONE
    return f"until it is undone; {words.quantity(statistics.median(answered), '%')} answered, n = {len(answered)}"


def _parts(repeats: Sequence[Repeat], parts: Sequence[str]) -> list[str]:
    by_part = [[stage.s for one in repeats for stage in one.stages if stage.name == part] for part in parts]
    return [words.quantity(statistics.median(found), "s") if found else NONE for found in by_part]


def moved(run: Run, _rows: Sequence[Row]) -> Table:
    """For each fault and arm in how many repeats the replica was somewhere else, or something else, afterwards."""
    lines = []
    for fault, arm, repeats in _broken(run):
        told = [(one.facts["before"], one.facts["after"]) for one in repeats if one.facts.get("after")]
        if told:
            other = (sum(before[what] != after[what] for before, after in told) for what in ("server", "boot", "id"))
            lines.append((fault, words.named(arm), *(f"{count} of {len(told)}" for count in other)))
    head = ("fault", "side", "in another server", "under another boot of a kernel", "another VM or container")
    return Table("What was another one when it served again", head, lines)


def timers(run: Run, _rows: Sequence[Row]) -> Table:
    """What the clusters and the edge waited for, as the run's repeats say."""
    lines: dict[tuple[str, str, str], None] = {}
    for _, arm, repeats in _broken(run):
        for one in repeats:
            profile, _, waits = str(one.conditions.get("timers", "")).partition(": ")
            if waits:
                lines[(KINDS[arm.side].word, profile, waits)] = None
    edge = dict.fromkeys(
        str(one.conditions["edge_timers"])
        for _, _, repeats in _broken(run)
        for one in repeats
        if "edge_timers" in one.conditions
    )
    return Table("What is waited for", ("whose", "timers", "wait"), [*lines, *(("edge", "all", told) for told in edge)])


def _broken(run: Run) -> Iterator[tuple[str, Arm, list[Repeat]]]:
    """Each fault and arm with its repeats that count, in the order in which they took turns."""
    for experiment in EXPERIMENTS:
        found = run.experiment(experiment.name)
        counting = [one for one in found.repeats if one.counts] if found else []
        for arm in dict.fromkeys(one.arm for one in counting):
            yield experiment.name, arm, [one for one in counting if one.arm == arm]
