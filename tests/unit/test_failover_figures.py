"""What the failover lab shows of its runs: outages by their parts, timers, what was another one afterwards."""

from __future__ import annotations

import dataclasses
from typing import Any

from labkit.guide import figures as guide_figures
from labkit.measure.labs import Table
from labkit.report import html
from labkit.runs.records import Repeat, Results, Run, Stage
from labs.failover import figures, timers
from labs.failover.lab import LAB
from labs.failover.sides.cluster import DEFAULT, MATCHED
from tests.unit import runs
from tests.unit.lab_fakes import empty_run
from tests.unit.test_failover_lab import CONTAINER, VM

FACTS = {"vm": VM, "container": CONTAINER}
PARTS = {
    "vm": {"detect": 7.9, "fence": 0.06, "place": 0.01, "start": 0.7, "ready": 7.6, "route": 0.1},
    "container": {"detect": 13.1, "place": 5.1, "unexplained": 0.4, "route": 0.1},
}


def repeat(side: str, number: int, *, factor: float = 1.0, profile: str = DEFAULT, **changed: Any) -> Repeat:
    """One of a server killed, whose parts all took so many times as long."""
    stages = tuple(Stage(name, s * factor, "a log", 0.001) for name, s in PARTS[side].items())
    return dataclasses.replace(
        Repeat(
            "server-killed",
            side,
            number,
            0.0,
            {"outage_s": sum(stage.s for stage in stages)},
            stages=stages,
            facts=FACTS[side],
            conditions=timers.conditions(side, profile),
            factors={"timers": profile},
        ),
        **changed,
    )


def run(*repeats: Repeat, fault: str = "server-killed") -> Run:
    done = Results(fault, "?", "complete", 1.0, repeats)
    return dataclasses.replace(empty_run(), lab="failover", experiments=(done,))


def lines(table: Table) -> list[list[str]]:
    """Its lines, with plain spaces."""
    return [[cell.replace("\u00a0", " ") for cell in line] for line in table.lines]


def test_an_outage_is_a_line_with_the_median_of_each_part() -> None:
    """By fault and arm; what an arm has not is a dash, what none has is no column; what does not count is left out."""
    found = run(
        repeat("vm", 1),
        repeat("container", 1),
        repeat("vm", 2, factor=2.0),
        repeat("vm", 3, factor=3.0),
        repeat("vm", 4, factor=9.0, marks=("late prober",)),
        repeat("vm", 1, factor=0.5, profile=MATCHED),
    )
    table = figures.outages(found, ())
    assert table.head == ("fault", "side", "outage: median (least to most), n", "detect", "fence", "place", "start",
                          "ready", "route", "unexplained")  # fmt: skip
    assert lines(table) == [
        ["server-killed", "VM (default timers)", "32.7 s (16.4 s to 49.1 s), n = 3", "15.8 s", "120 ms", "20 ms",
         "1.40 s", "15.2 s", "200 ms", "-"],
        ["server-killed", "container (default timers)", "18.7 s, n = 1", "13.1 s", "-", "5.10 s", "-", "-", "100 ms",
         "400 ms"],
        ["server-killed", "VM (matched timers)", "8.19 s, n = 1", "3.95 s", "30 ms", "5 ms", "350 ms", "3.80 s",
         "50 ms", "-"],
    ]  # fmt: skip
    alone = figures.outages(run(repeat("container", 1)), ())
    assert tuple(alone.head[3:]) == ("detect", "place", "route", "unexplained")


def test_where_nothing_ends_by_itself_it_is_told_how_much_was_answered() -> None:
    """A side without its majority."""
    one = repeat("vm", 1, values={"answered_percent": 0.0}, stages=(), facts={**VM, "after": {}})
    (line,) = lines(figures.outages(run(one, fault="majority-killed"), ()))
    assert line[2] == "until it is undone; 0% answered, n = 1"
    assert not figures.moved(run(one, fault="majority-killed"), ()).lines


def test_what_was_another_one_afterwards_is_counted() -> None:
    """A VM is the same one under another boot; a container is another one under the same kernel."""
    found = run(repeat("vm", 1), repeat("vm", 2), repeat("container", 1))
    assert lines(figures.moved(found, ())) == [
        ["server-killed", "VM (default timers)", "2 of 2", "2 of 2", "0 of 2"],
        ["server-killed", "container (default timers)", "1 of 1", "0 of 1", "1 of 1"],
    ]


def test_timers_are_those_of_the_run_the_edges_once() -> None:
    """Each cluster's by profile."""
    found = run(repeat("vm", 1), repeat("vm", 1, profile=MATCHED), repeat("container", 1), repeat("container", 2))
    told = lines(figures.timers(found, ()))
    assert [line[:2] for line in told] == [["VM", DEFAULT], ["VM", MATCHED], ["container", DEFAULT], ["edge", "all"]]
    assert told[0][2] == "token 3000 ms, with three servers 3650 ms, consensus 4380 ms"
    assert "fall 2" in told[-1][2]


def test_its_figures_are_blocks_of_the_guide_and_tables_of_the_page() -> None:
    """All of them, of one run."""
    found = run(repeat("vm", 1), repeat("container", 1))
    own = [figure(found, ()) for figure in LAB.figures.values()]
    page = html.page(dataclasses.replace(found, machine=runs.MACHINE), (), own=own)
    for table in own:
        assert (table.title in page) == bool(table.lines)
        assert guide_figures.table(table).startswith("| ")
