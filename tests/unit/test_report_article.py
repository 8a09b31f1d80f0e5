"""One table over all labs: which run each part comes from, what is missing, and in what the runs differ."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from labkit.judge.model import Measured
from labkit.judge.rows import ROWS
from labkit.measure.labs import Lab
from labkit.report import article, article_terminal, as_json, html
from labkit.report.article import Held, LeftOut, Table
from labkit.runs.records import Arm, Run
from labs.deployment.lab import LAB
from tests.unit import judging, runs

MACHINE = {**runs.MACHINE, "load_1min": 0.1}
RUN = dataclasses.replace(judging.run(), machine=MACHINE)
BOTH = tuple(one for one in LAB.experiments if one.name in ("size", "start"))
FIRST = dataclasses.replace(LAB, experiments=BOTH, claims=(judging.LARGER, judging.STARTS))


def _of_second(claim: Measured) -> Measured:
    return dataclasses.replace(claim, row="Networking")


SECOND = dataclasses.replace(FIRST, name="networking", claims=(_of_second(judging.LARGER), _of_second(judging.STARTS)))
LABS = (FIRST, SECOND)


def run(day: int, *only: str, lab: str = "deployment", **changes: Any) -> Held:
    """A run that began on this day of November, with these experiments or all."""
    experiments = tuple(one for one in RUN.experiments if not only or one.name in only)
    fields = {"id": f"{lab}-{day}", "lab": lab, "started": f"2026-11-{day:02}T10:00:00+00:00"}
    return Held(f"runs/{lab}/{day}", dataclasses.replace(RUN, **{"experiments": experiments, **fields, **changes}))


def sources(table: Table) -> dict[str, str | None]:
    """Lab and claim -> the folder that its part comes from."""
    return {
        f"{part.lab} {part.judgement.claim.name}": part.source.folder if part.source else None
        for line in table.lines
        for part in line.parts
    }


def printed(table: Table) -> str:
    """What the terminal shows, as one line."""
    out = StringIO()
    Console(file=out, width=400).print(article_terminal.render(table))
    return " ".join(out.getvalue().split())


def interrupted(one: Run, experiment: str) -> Run:
    """The run with one experiment cut by Ctrl-C."""
    return dataclasses.replace(
        one,
        experiments=tuple(
            dataclasses.replace(each, state="interrupted") if each.name == experiment else each
            for each in one.experiments
        ),
    )


def test_each_lab_gives_its_newest_whole_run() -> None:
    """In whatever order they are found; all nine rows are there, each with its parts from every lab."""
    found = [run(3, lab="networking"), run(9), run(20), run(7)]
    for order in (found, found[::-1]):
        table = article.table(LABS, order)
        assert sources(table) == {
            "deployment larger": "runs/deployment/20",
            "deployment starts-slower": "runs/deployment/20",
            "networking larger": "runs/networking/3",
            "networking starts-slower": "runs/networking/3",
        }
        assert [line.stated.name for line in table.lines] == list(ROWS)
        assert {line.stated.name: line.verdict for line in table.lines if line.parts} == {
            "Size": "holds",
            "Speed": "holds",
            "Networking": "holds",
        }
        assert (table.missing, table.left_out) == ((), ())


def test_the_order_in_time_is_that_of_instants() -> None:
    """Of runs from two time zones the one that began later, whatever its clock showed."""
    east = run(20, started="2026-11-20T10:00:00+02:00")
    west = dataclasses.replace(run(21), run=dataclasses.replace(RUN, started="2026-11-20T09:30:00+00:00"))
    assert sources(article.table([FIRST], [east, west]))["deployment larger"] == "runs/deployment/21"


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        (run(20, quick=True), "it is quick, a whole run comes first"),
        (run(20, "size"), "it has only size, a whole run comes first"),
        (run(20, finished=""), "it is not finished: cut short, or still being measured"),
        (Held("runs/deployment/20", interrupted(run(20).run, "start")), "start is interrupted"),
    ],
)
def test_a_newer_run_that_is_not_whole_is_left_out_by_name(newer: Held, reason: str) -> None:
    """With the reason, in the terminal, in the JSON and on the page."""
    table = article.table([FIRST], [newer, run(9)])
    assert set(sources(table).values()) == {"runs/deployment/9"}
    assert table.left_out == (LeftOut("runs/deployment/20", reason),)
    assert f"Left out: runs/deployment/20: {reason}" in printed(table)
    assert as_json.article(table)["left_out"] == [{"folder": "runs/deployment/20", "reason": reason}]
    assert f"<code>runs/deployment/20</code>: {reason}" in html.article(table)


def test_an_older_run_that_is_not_whole_is_not_spoken_of() -> None:
    """It is not missed."""
    assert article.table([FIRST], [run(20), run(9, quick=True), run(8, "size")]).left_out == ()


def test_what_no_whole_run_has_comes_from_the_newest_that_has_it() -> None:
    """Each part with the letter of its run; what is cut in the newest comes from an older one."""
    cut = Held("runs/deployment/20", interrupted(run(20).run, "start"))
    table = article.table([FIRST], [run(7, "start"), run(5, "start"), cut])
    assert sources(table) == {
        "deployment larger": "runs/deployment/20",
        "deployment starts-slower": "runs/deployment/7",
    }
    assert {source.letter: source.folder for source in table.sources} == {
        "A": "runs/deployment/20",
        "B": "runs/deployment/7",
    }
    assert "[B]" in printed(table)
    assert table.missing == ()


def test_what_only_a_full_run_measures_comes_from_an_older_one() -> None:
    """A newer normal run is whole without it."""
    rare = dataclasses.replace(FIRST, experiments=(BOTH[0], dataclasses.replace(BOTH[1], only_full=True)))
    table = article.table([rare], [run(9, full=True), run(20, "size")])
    assert sources(table) == {
        "deployment larger": "runs/deployment/20",
        "deployment starts-slower": "runs/deployment/9",
    }
    assert ("run", "depth", "normal (A), full (B)") in [(one.of, one.name, one.words) for one in table.differences]


def test_arms_that_only_a_full_run_makes_come_from_an_older_one() -> None:
    """Claim by claim: a newer normal run has the experiment, but not under them. Where no run has, --full would."""
    arms = {side: Arm(side, {"timers": "matched"}) for side in ("vm", "container")}
    matched = dataclasses.replace(judging.STARTS, name="matched", greater=arms["vm"], other=arms["container"])
    deep = dataclasses.replace(FIRST, claims=(*FIRST.claims, matched))
    full = dataclasses.replace(
        RUN.experiments[1],
        repeats=tuple(dataclasses.replace(one, factors={"timers": "matched"}) for one in RUN.experiments[1].repeats),
    )
    older = run(9, full=True, experiments=(*RUN.experiments[:1], full, *RUN.experiments[2:]))
    table = article.table([deep], [run(20), older])
    assert sources(table) == {
        "deployment larger": "runs/deployment/20",
        "deployment starts-slower": "runs/deployment/20",
        "deployment matched": "runs/deployment/9",
    }
    assert (table.missing, article.enough(deep, [run(20)]), article.enough(deep, [run(20), older])) == ((), False, True)
    (missing,) = article.table([deep], [run(20)]).missing
    assert (missing.experiments, missing.command) == (("start",), "./lab run deployment start --full")
    assert missing.lacks == ("VM (matched) and container (matched) of start",)


@pytest.mark.parametrize(
    ("found", "experiments", "command"),
    [
        ([], ("size", "start"), "./lab up deployment && ./lab run deployment"),
        ([run(9, "size")], ("start",), "./lab run deployment start"),
        ([Held("x", interrupted(RUN, "start"))], ("start",), "./lab run deployment start"),
    ],
)
def test_what_is_missing_is_said_with_what_measures_it(
    found: Sequence[Held], experiments: tuple[str, ...], command: str
) -> None:
    """Its claims are in the table, not measured, with the experiment that would."""
    table = article.table([FIRST], found)
    assert [(one.lab, one.experiments, one.command) for one in table.missing] == [("deployment", experiments, command)]
    assert f"no run has {', '.join(experiments)}. Measure: {command}" in printed(table)
    speed = next(line for line in table.lines if line.stated.name == "Speed")
    assert (speed.verdict, speed.parts[0].source) == ("not measured", None)
    assert "no run has start complete" in speed.parts[0].judgement.reason
    assert f"Measure: {command}" in printed(table)
    assert f"{len(speed.parts)} part" in printed(table)
    assert "not measured: no run has start complete." in printed(table)
    assert command.replace("&", "&amp;") in html.article(table)


def test_what_only_a_full_run_measures_is_named_where_there_is_no_run() -> None:
    """The usual experiments all at once, then that one by its name."""
    rare = dataclasses.replace(FIRST, experiments=(BOTH[0], dataclasses.replace(BOTH[1], only_full=True)))
    (missing,) = article.table([rare], []).missing
    assert missing.command == "./lab up deployment && ./lab run deployment && ./lab run deployment start"


def test_a_row_whose_lab_is_not_in_this_version_says_so() -> None:
    """And one of whose lab there is, but without a claim, says that."""
    told = printed(article.table([FIRST], []))
    assert "The lab balancing, which would measure it, is not in this version." in told
    assert "No claim of the lab deployment is about it yet." in told


def test_a_lab_of_ones_own_has_a_part_from_its_first_run_on() -> None:
    """Before, it neither unsettles a row that others have settled nor counts as missing."""
    own = dataclasses.replace(FIRST, name="demo")
    before = article.table([FIRST, own], [run(9)])
    assert (before.lines[0].verdict, before.missing) == ("holds", ())
    after = article.table([FIRST, own], [run(9), run(10, "size", lab="demo")])
    assert sources(after)["demo larger"] == "runs/demo/10"
    assert [one.command for one in after.missing] == ["./lab run demo start"]


def test_runs_of_other_machines_and_settings_are_told_apart() -> None:
    """In what they differ, and which has which; the load of the moment is no difference, nor what only one lab has."""
    other = run(
        3,
        lab="networking",
        machine={**MACHINE, "kernel": "5.10", "load_1min": 9.0},
        settings={"accelerator": "kvm", "memory_mib": 256, "paths": "bridged"},
    )
    here = run(20, settings={"accelerator": "kvm", "memory_mib": 512})
    table = article.table(LABS, [here, other])
    assert [(one.of, one.name, one.words) for one in table.differences] == [
        ("machine", "kernel", "6.12.48-amd64 (A), 5.10 (B)"),
        ("settings", "memory", "512\u00a0MiB (A), 256\u00a0MiB (B)"),
    ]
    told = printed(table)
    assert "not of one machine, settings and version: they differ in kernel, memory." in told
    assert "machine: kernel: 6.12.48-amd64 (A), 5.10 (B)" in told
    page = html.article(table)
    assert "Not one machine, settings and version" in page
    assert "5.10" in page


def test_what_a_lab_stands_on_tells_only_its_own_runs_apart() -> None:
    """Two labs differ in topology and paths by what they ask; two runs of one lab do not."""
    one = {"accelerator": "kvm", "topology": "single", "paths": "bridged"}
    other = {"accelerator": "kvm", "topology": "cluster", "paths": "bridged,nat"}
    assert article.table(LABS, [run(9, settings=one), run(3, lab="networking", settings=other)]).differences == ()
    cut = Held("runs/deployment/20", interrupted(run(20, settings=one).run, "start"))
    found = article.table([FIRST], [cut, run(7, "start", settings=other)]).differences
    assert [one.name for one in found if one.of == "settings"] == ["topology", "paths"]


def test_a_row_that_rests_on_runs_that_differ_says_so() -> None:
    """A row of two labs whose runs differ; not one whose runs are alike, and not one of a single run."""
    same_row = dataclasses.replace(SECOND, claims=tuple(dataclasses.replace(c, row="Size") for c in SECOND.claims))
    labs: Sequence[Lab] = (FIRST, same_row)
    apart = article.table(labs, [run(9), run(3, lab="networking", machine={**MACHINE, "cpus": 64})])
    assert {line.stated.name: apart.differing(line) for line in apart.lines if line.parts} == {
        "Size": ["A", "B"],
        "Speed": [],
    }
    assert "from A and B, which differ (see below)" in printed(apart)
    assert "A and B differ" in html.article(apart)
    assert next(row for row in as_json.article(apart)["rows"] if row["name"] == "Size")["differing"] == ["A", "B"]
    alike = article.table(labs, [run(9), run(3, lab="networking")])
    assert not any(alike.differing(line) for line in alike.lines)
    assert alike.differences == ()


def test_an_emulated_cpu_is_said_of_the_runs_that_had_it() -> None:
    """By their letters, in the terminal and on the page; without one there is no banner."""
    emulated = run(3, lab="networking", settings={"accelerator": "tcg"})
    table = article.table(LABS, [run(9), emulated])
    assert "Run B: EMULATED CPU (TCG)" in printed(table)
    assert "Run B: no usable KVM" in html.article(table)
    assert "EMULATED" not in printed(article.table(LABS, [run(9)]))
    tcg = {"accelerator": "tcg"}
    assert article.table(LABS, [run(9, settings=tcg), emulated]).emulated == "Runs A and B"


def test_the_json_says_of_each_part_its_lab_and_run() -> None:
    """As JSON without NaN, with the machine of each run and what is missing."""
    told = json.loads(json.dumps(as_json.article(article.table(LABS, [run(9)])), allow_nan=False))
    by_name = {row["name"]: row for row in told["rows"]}
    assert list(by_name) == list(ROWS)
    assert [(part["lab"], part["run"], part["verdict"]) for part in by_name["Size"]["parts"]] == [
        ("deployment", "A", "holds")
    ]
    assert {(part["lab"], part["run"]) for part in by_name["Networking"]["parts"]} == {("networking", None)}
    assert [(one["letter"], one["folder"], one["depth"]) for one in told["runs"]] == [
        ("A", "runs/deployment/9", "normal")
    ]
    assert told["runs"][0]["machine"]["cpu"] == MACHINE["cpu"]
    assert [one["lab"] for one in told["missing"]] == ["networking"]


def test_hostile_text_stays_text_on_the_page() -> None:
    """Whatever a run or a folder is called."""
    hostile = runs.HOSTILE
    bad = Held(hostile, dataclasses.replace(run(9).run, commit=hostile, machine={"cpu": hostile, hostile: 1}))
    page = html.article(article.table(LABS, [bad, run(3, lab="networking")], [LeftOut(hostile, hostile)]))
    assert "<script" not in page
    assert len(page.encode()) < html.LARGEST_BYTES


def test_a_run_is_enough_when_an_older_one_could_add_nothing() -> None:
    """Neither a quick nor a partial one is; a whole one is, unless a claim rests on what only a full one measures."""
    assert article.enough(FIRST, [run(9)])
    assert not article.enough(FIRST, [run(9, quick=True)])
    assert not article.enough(FIRST, [run(9, "size"), run(8, "start")])
    rare = dataclasses.replace(FIRST, experiments=(BOTH[0], dataclasses.replace(BOTH[1], only_full=True)))
    assert not article.enough(rare, [run(9, "size")])
    assert article.enough(rare, [run(9, "size"), run(8, full=True)])


def test_letters_go_on_after_z() -> None:
    """As many as there are runs."""
    letter = article.letters()
    assert [next(letter) for _ in range(28)][-3:] == ["Z", "A2", "B2"]
