"""Tables of what the experiments with rules saw, for the guide and the pages of a run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.sides import KINDS
from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Table
from labkit.runs.records import Repeat, Run


def firewall(run: Run, _rows: Sequence[Row]) -> Table:
    """For each path and place of a DROP: which rule dropped how many packets, with bridge-nf-call-iptables on and off.

    A packet that is not answered is sent again after a second, so that a trial drops one or two.
    """
    lines = [
        (_who(repeat), *line)
        for repeat in _counting(run, "firewall")
        for line in _places(repeat.facts.get("trials", ()))
    ]
    return Table(
        "Who dropped a packet, by where a DROP stood",
        ("replica", "a DROP", "bridge-nf-call-iptables on", "off"),
        lines,
    )


def _places(trials: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for place in dict.fromkeys(one["drop_in"] for one in trials):
        told = {
            one["bridge_nf_call_iptables"]: f"{one['dropped_by']}: {one['dropped_packets']}"
            if one["dropped_by"]
            else str(one["answer"])
            for one in trials
            if one["drop_in"] == place
        }
        yield place, told.get("1", "not to be had"), told.get("0", told.get("", ""))


def forward(run: Run, _rows: Sequence[Row]) -> Table:
    """For each way: what had cut the VM off, and how long it took from the command until the VM took a connection."""
    ways: dict[tuple[str, str, str], list[float | None]] = {}
    for repeat in _counting(run, "forward"):
        if "cut_off" in repeat.facts:
            way = (_who(repeat), ", ".join(repeat.facts["cut_off"]["by"]), repeat.action)
            ways.setdefault(way, []).append(repeat.values.get("back_s"))
    lines = [(*way, _back(seconds), str(len(seconds))) for way, seconds in ways.items()]
    return Table(
        "A VM cut off beside an engine", ("replica", "dropped by", "mended by", "back after (median)", "n"), lines
    )


def _back(seconds: Sequence[float | None]) -> str:
    """Of all repeats; one after which the VM was still cut off is told."""
    back = [one for one in seconds if one is not None]
    told = [words.quantity(statistics.median(back), "s")] if back else []
    still = len(seconds) - len(back)
    return ", ".join([*told, *(["still cut off" if not back else f"still cut off in {still}"] if still else [])])


def segments(run: Run, _rows: Sequence[Row]) -> Table:
    """For each way within a network and across two: whether it went through, and which rule stopped it."""
    lines = [
        (_who(repeat), one["way"], "reached" if one["reached"] else "stopped", ", ".join(one["stopped_by"]) or "-")
        for repeat in _counting(run, "segments")
        for one in repeat.facts.get("ways", ())
    ]
    return Table("Two networks of one side on one server", ("replica", "way", "outcome", "stopped by"), lines)


def _counting(run: Run, experiment: str) -> list[Repeat]:
    found = run.experiment(experiment)
    return [repeat for repeat in found.repeats if repeat.counts] if found else []


def _who(repeat: Repeat) -> str:
    return " ".join((KINDS[repeat.side].word, *repeat.factors.values()))
