"""Tables of what neighbours did and what was watched, for the guide and the pages of a run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from infra.sides import KINDS
from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Table
from labkit.runs.records import Arm, Repeat, Run
from labs.isolation.neighbours import FAULT, LIMITS

_MOST_FREQUENT = 5


def neighbours(run: Run, _rows: Sequence[Row]) -> Table:
    """For each fault and arm: the victim's p99 before and while, what it lost, and who ended its neighbour."""
    lines = []
    for arm, some in _by_arm(run, "neighbours").items():
        by = ", ".join(dict.fromkeys(str(one.facts["ended_by"]) for one in some))
        lives = ", ".join(dict.fromkeys(str(one.facts["victim_survives"]) for one in some))
        lines.append(
            (
                arm.factors[FAULT],
                f"{KINDS[arm.side].word}, {arm.factors[LIMITS]}",
                _median(some, "before_p99_ms"),
                _median(some, "during_p99_ms"),
                f"{sum(one.values['during_lost'] for one in some):.0f}",
                lives,
                by,
                str(len(some)),
            )
        )
    lines.sort(key=lambda line: line[0])
    return Table(
        "Beside a neighbour that misbehaves",
        ("it", "side", "p99 before", "p99 while it does", "lost", "victim lives on", "what ended or held it", "n"),
        lines,
    )


def surface(run: Run, _rows: Sequence[Row]) -> Table:
    """For each side: how many kinds of system calls reached the server's kernel, how many, and the most frequent."""
    lines = []
    for arm, some in _by_arm(run, "surface").items():
        last = some[-1]
        calls = [f"{name} {words.number(count)}" for name, count in list(last.facts["calls"].items())[:_MOST_FREQUENT]]
        lines.append(
            (
                f"{KINDS[arm.side].word}: {last.facts['watched']}",
                words.number(statistics.median(one.values["system_call_kinds"] for one in some)),
                words.number(statistics.median(one.values["system_calls"] for one in some)),
                ", ".join(calls),
                str(len(some)),
            )
        )
    return Table(
        "System calls of the server's kernel while 1,000 requests are answered",
        ("watched", "kinds", "calls", "the most frequent", "n"),
        lines,
    )


def _by_arm(run: Run, experiment: str) -> dict[Arm, list[Repeat]]:
    """The repeats that count, by arm, in the order in which they were made."""
    found = run.experiment(experiment)
    by_arm: dict[str, list[Repeat]] = {}
    for one in found.repeats if found else ():
        if one.counts:
            by_arm.setdefault(str(one.arm), []).append(one)
    return {some[0].arm: some for some in by_arm.values()}


def _median(some: Sequence[Repeat], name: str) -> str:
    values = [one.values[name] for one in some if name in one.values]
    return words.quantity(statistics.median(values), "ms") if values else "none answered"
