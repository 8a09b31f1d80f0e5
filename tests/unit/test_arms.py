"""Sides and arms are n: turns take them in turn, claims name two of them, every report shows them all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from infra import sides
from infra.outputs import Replica
from labkit.commands.run import choices
from labkit.judge import _fairness, rows
from labkit.judge._verdict import judge
from labkit.judge.model import Judgement, Measured, Row
from labkit.measure._conduct import Conductor, name
from labkit.measure._left import left_s
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.report import _plots, _view, as_json, compare, html, merge, tables, terminal
from labkit.runs import run_folder
from labkit.runs.records import Arm, Repeat, Results, Run
from labkit.system.errors import LabError
from tests.unit import arms
from tests.unit.arms import ARMS, BRIDGED, CLAIMS, HOST, KINDS_OF_THREE, NAT, OWN, PLAIN, PUBLISHED
from tests.unit.lab_fakes import CONTRACT, FakeLab, empty_run

RUN = arms.run()


@pytest.fixture(autouse=True)
def _three_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """For whatever looks at the table of sides itself."""
    monkeypatch.setitem(cast(dict[str, Any], sides.KINDS), arms.TOY, KINDS_OF_THREE[arms.TOY])


def verdict(run: Run, claim: str) -> Judgement:
    """One claim of these, judged."""
    return judge(run, next(one for one in CLAIMS if one.name == claim), KINDS_OF_THREE)


@pytest.mark.parametrize(
    ("arm", "other", "covers"),
    [
        (Arm("vm"), BRIDGED, True),
        (BRIDGED, Arm("vm"), False),
        (BRIDGED, Arm("vm", {"limit": "none", "path": "bridged"}), True),
        (BRIDGED, NAT, False),
        (Arm("vm"), PLAIN, False),
    ],
)
def test_an_arm_covers_those_that_choose_what_it_names_and_perhaps_more(arm: Arm, other: Arm, covers: bool) -> None:
    """A side alone covers all its arms."""
    assert arm.covers(other) is covers


def test_arms_are_values_to_look_things_up_by() -> None:
    """The order of factors is nothing."""
    one, two = Arm("vm", {"path": "NAT", "limit": "on"}), Arm("vm", {"limit": "on", "path": "NAT"})
    assert {one: 1}[two] == 1
    assert len({*ARMS}) == len(ARMS)


def test_all_arms_take_turns() -> None:
    """Each once before any of them again; a side's name is its arm without factors."""
    turns = take_turns(ARMS, 2, actions=("to", "from"), warm_ups=1)
    assert [turn.arm for turn in turns] == [*ARMS] * 6
    assert take_turns(["vm", "container"], 1, warm_ups=0) == (Turn("vm", 1), Turn("container", 1))
    assert [name(turn) for turn in turns[:3]] == ["vm bridged to warm-up", "vm NAT to warm-up",
                                                  "container published port to warm-up"]  # fmt: skip


def _conducted(folder: Path, fails: Sequence[Arm] = ()) -> Run:
    def measure(_place: Place, turn: Turn) -> Seen:
        if turn.arm in fails:
            raise LabError("no answer")
        return Seen({"connect_ms": 1.0})

    there = (BRIDGED, NAT, PUBLISHED)
    replicas = tuple(Replica(str(arm), arm.side, "s", "http://x", "x", arm.factors["path"]) for arm in there)
    lab = FakeLab(folder, contract=dataclasses.replace(CONTRACT, replicas=replicas))
    experiment = Experiment("latency", "how long?", "which?", lambda _sides, _quick: take_turns(there, 2, warm_ups=0),
                            measure, lambda _place: None)  # fmt: skip
    return Conductor(lab.place, empty_run(), lab.hands).conduct([experiment])


def test_a_repeat_keeps_the_factors_of_its_turn(tmp_path: Path) -> None:
    """In the folder as well, where a repeat without any has no such entry."""
    run = _conducted(tmp_path)
    assert [one.arm for one in run.experiments[0].repeats] == [BRIDGED, NAT, PUBLISHED] * 2
    assert run_folder.load(tmp_path) == run
    content = json.loads((tmp_path / run_folder.RUN).read_text(encoding="utf-8"))["run"]
    assert content["experiments"][0]["repeats"][1]["factors"] == {"path": "NAT"}
    plain = dataclasses.replace(run, experiments=(
        dataclasses.replace(run.experiments[0], repeats=(Repeat("latency", "vm", 1, 0.0, {}),)),))  # fmt: skip
    run_folder.save(plain, tmp_path)
    content = json.loads((tmp_path / run_folder.RUN).read_text(encoding="utf-8"))["run"]
    assert "factors" not in content["experiments"][0]["repeats"][0]
    assert run_folder.load(tmp_path) == plain


def test_failures_in_a_row_are_counted_by_arm(tmp_path: Path) -> None:
    """Though the other arm of that side does well in between."""
    [latency] = _conducted(tmp_path, fails=[NAT]).experiments
    assert (latency.state, latency.problem) == ("failed", "2 repeats of vm NAT failed one after the other: no answer")


def test_the_time_left_is_that_of_the_same_arm() -> None:
    """Not of its side."""
    first, second = Turn("vm", 1, factors={"path": "NAT"}), Turn("vm", 1, factors={"path": "bridged"})
    assert left_s([(first, 10.0), (second, 2.0)], [second]) == 2.0


@pytest.mark.parametrize(
    ("claim", "greater", "other"),
    [("nat-slower", NAT, BRIDGED), ("port-slower", PUBLISHED, OWN), ("vm-slower", BRIDGED, OWN),
     ("vm-busier", BRIDGED, HOST)],
)  # fmt: skip
def test_a_claim_compares_the_two_arms_that_it_names(claim: str, greater: Arm, other: Arm) -> None:
    """On one side or on two; a third side and other arms change nothing."""
    judgement = verdict(RUN, claim)
    assert (judgement.verdict, [one.arm for one in judgement.spreads]) == ("holds", [greater, other])
    alone = [one for one in RUN.experiments[0].repeats if one.arm in (greater, other)]
    if claim != "vm-busier":
        without = dataclasses.replace(RUN, experiments=(dataclasses.replace(RUN.experiments[0], repeats=tuple(alone)),))
        assert verdict(without, claim) == judgement


def test_the_other_arm_is_the_one_that_is_named_whatever_the_order_of_sides() -> None:
    """A third side that stands first in the table is not taken for it."""
    turned = dict(reversed(list(KINDS_OF_THREE.items())))
    claim = next(one for one in CLAIMS if one.name == "vm-slower")
    assert [one.arm for one in judge(RUN, claim, turned).spreads] == [BRIDGED, OWN]


def _with_factor(run: Run, factors: dict[Arm, list[str]]) -> Run:
    """Another factor `limit` in the repeats of these arms, by turns."""

    def changed(one: Repeat) -> Repeat:
        values = factors.get(one.arm)
        return (
            dataclasses.replace(one, factors={**one.factors, "limit": values[one.number % len(values)]})
            if values
            else one
        )

    [latency, *rest] = run.experiments
    return dataclasses.replace(run, experiments=(
        dataclasses.replace(latency, repeats=tuple(map(changed, latency.repeats))), *rest))  # fmt: skip


@pytest.mark.parametrize(
    ("factors", "reason"),
    [
        ({NAT: ["off"], BRIDGED: ["on"]},
         "The arms differ in limit, which is not what is compared: off for the VM (NAT), on for the VM (bridged)."),
        ({NAT: ["on"]},
         "The arms differ in limit, which is not what is compared: on for the VM (NAT), none for the VM (bridged)."),
        ({NAT: ["on", "off"], BRIDGED: ["on", "off"]}, "Between repeats of the VM (NAT) limit changed: off, then on."),
    ],
)  # fmt: skip
def test_a_factor_that_the_claim_does_not_name_must_be_equal(factors: dict[Arm, list[str]], reason: str) -> None:
    """Between the arms and within each; what the claim names is its subject by itself."""
    judgement = verdict(_with_factor(RUN, factors), "nat-slower")
    assert judgement.verdict == "not comparable"
    assert reason in judgement.reason
    assert verdict(_with_factor(RUN, {NAT: ["on"], BRIDGED: ["on"]}), "nat-slower").verdict == "holds"


def test_a_side_alone_does_not_stand_for_arms_that_differ() -> None:
    """Who compares sides in a run that has several arms of one is told to name them."""
    [claim] = [one for one in CLAIMS if one.name == "nat-slower" and isinstance(one, Measured)]
    judgement = judge(RUN, dataclasses.replace(claim, greater=Arm("vm"), other=PLAIN), KINDS_OF_THREE)
    assert judgement.verdict == "not comparable"
    assert "Between repeats of the VM path changed: bridged, then NAT." in judgement.reason


def test_two_arms_of_one_side_prove_who_they_are() -> None:
    """Two containers answer with one boot id, their server's, and neither was measured inside the other."""
    repeats = {arm: RUN.experiments[0].of(arm) for arm in (PUBLISHED, OWN)}
    assert _fairness.identities(repeats, KINDS_OF_THREE) == ()


def test_of_two_emulated_arms_neither_is_known_to_do_better() -> None:
    """On a real CPU both would, so nothing is confirmed and nothing refuted."""

    def emulated(one: Repeat) -> Repeat:
        own = {"accelerator": "tcg"} if one.conditions["accelerator"] == "kvm" else {}
        return dataclasses.replace(one, conditions={**one.conditions, **own})

    run = dataclasses.replace(RUN, settings={**RUN.settings, "accelerator": "tcg"}, experiments=tuple(
        dataclasses.replace(each, repeats=tuple(map(emulated, each.repeats))) for each in RUN.experiments))  # fmt: skip
    judgement = verdict(run, "nat-slower")
    assert judgement.verdict == "not decidable here"
    assert "on a real CPU both would do better" in judgement.reason


def test_one_predicts_an_arm() -> None:
    """Each of the two, or the same."""
    claim = next(one for one in CLAIMS if one.name == "vm-slower")
    assert choices(claim) == ["vm bridged", "container own address", "same"]


def judged() -> tuple[Row, ...]:
    """The article's table, judged on the run."""
    return rows.judge(RUN, CLAIMS, KINDS_OF_THREE)


NAMES = ["VM (bridged)", "VM (NAT)", "container (published port)", "container (own address)",
         "container (host network)", "plain process"]  # fmt: skip


def _labelled(svg: str, labels: Sequence[str]) -> bool:
    """Whether a plot has each of these beside its lines, on as many lines of text as it takes."""
    return all(f">{part}<" in svg for label in labels for part in _plots._folded(label).split("\n"))


def test_the_page_has_a_line_an_arm_in_every_plot_table_and_column() -> None:
    """Also of an arm that no claim is about."""
    latency, throughput = _view.sections(RUN, judged(), [])
    assert latency.arms == ARMS
    [connect, answer] = latency.drawn
    for drawn in (connect, answer):
        assert [line.label for line in drawn.series.lines] == NAMES
        assert all(f"{one}: median" in drawn.svg for one in NAMES)
        assert _labelled(drawn.svg, NAMES)
    assert len(connect.judgements) == 3
    assert [len(fact.values) for fact in latency.facts] == [len(ARMS)] * 2
    assert [[bar.arm for bar, _ in group.bars] for group in throughput.stages] == [list(ARMS)] * 2
    page = html.page(RUN, judged())
    assert "VM (bridged) ÷ container (own address) = " in page
    assert 'VM (NAT) <span class="soft">· as predicted: VM (NAT)' in page
    assert len(page.encode()) < html.LARGEST_BYTES


def test_colour_and_shape_are_the_sides_own() -> None:
    """A third side has a third colour, without a line of style for it."""
    page = html.page(RUN, judged())
    assert 'class="side side-3"' in page
    for number in (1, 2, 3):
        assert f"--side-{number}: #" in page
        assert f'"var(--side-{number})"' in page


def test_the_terminal_has_a_row_an_arm_and_names_each_ratio() -> None:
    """Several claims of one figure: which arm is divided by which."""
    out = StringIO()
    Console(file=out, width=300, no_color=True).print(terminal.render(RUN, judged(), "runs/networking/1"))
    text = out.getvalue()
    assert all(f"\n  {one} " in text for one in NAMES)
    assert "\n  VM (NAT) ÷ VM (bridged) " in text
    assert "\n  VM (bridged) ÷ container (own address) " in text
    figure = next(one for one in tables.figures(RUN, judged()) if one.name == "connect_ms")
    assert [one.arm for one in figure.spreads] == [*ARMS]


def test_json_names_both_arms() -> None:
    """Side and factors of each, in claims, spreads and repeats."""
    told = json.loads(json.dumps(as_json.render(RUN, judged(), "runs/networking/1"), allow_nan=False))
    parts = {part["claim"]: part for row in told["rows"] for part in row["parts"]}
    part = parts["vm-slower"]
    assert (part["greater"], part["greater_factors"]) == ("vm", {"path": "bridged"})
    assert (part["other"], part["other_factors"]) == ("container", {"path": "own address"})
    assert [(one["side"], one["factors"]) for one in part["spreads"]] == [
        ("vm", {"path": "bridged"}), ("container", {"path": "own address"})]  # fmt: skip
    assert told["run"]["experiments"][0]["repeats"][0]["factors"] == {"path": "bridged"}


def test_two_runs_and_a_class_are_shown_by_arm() -> None:
    """Each run's arms below its letter; the ratio by its two arms' names."""
    both = [compare.Judged(letter, [(RUN, judged())]) for letter in "AB"]
    pair = next(one for one in compare.pairs(both) if one.claim.name == "vm-slower")
    assert _labelled(pair.svg, [f"{letter}: {one}" for letter in "AB" for one in NAMES])
    merged = {one.claim.name: one for one in merge.merged([merge.Entry("anna", RUN, judged())])}
    assert "ratio of medians, VM (bridged) ÷ container (own address)" in merged["vm-slower"].svg
    assert dict(merged["vm-slower"].predicted) == {"container own address": 1}
    assert "container (own address): 1" in merge.page([merge.Entry("anna", RUN, judged())], [], place="class")


def test_every_claim_of_these_makes_sense() -> None:
    """Two arms of a side are two arms."""
    assert not rows.flaws(CLAIMS, KINDS_OF_THREE)
    assert all(isinstance(one, Measured) for one in CLAIMS[:4])


def test_nothing_is_cut_or_broken_within_a_word_in_a_narrow_terminal() -> None:
    """80 columns hold all arms: names go on the next line, numbers stay whole."""
    out = StringIO()
    Console(file=out, width=80, no_color=True).print(terminal.render(RUN, judged(), "runs/networking/1"))
    figures = out.getvalue().partition("Figures")[2].partition("Prediction and result")[0]
    assert "…" not in figures
    known = {word for name in NAMES for word in name.split()} | {"latency", "throughput", "connect_ms", "sent_bytes"}
    assert known <= set(figures.split())
    assert max(len(line) for line in figures.splitlines()) <= 80


def test_an_arm_of_which_nothing_was_seen_has_no_column_of_evidence() -> None:
    """And what would fill a page, as a record of a prober, is counted in its cell."""
    first, second = ARMS[0], ARMS[1]
    record = {f"setting_{number}": "x" * 30 for number in range(14)}
    repeats = (
        Repeat(
            "e", first.side, 1, 0.0, {"v": 1.0}, factors=dict(first.factors), facts={"prober": record, "few": {"a": 1}}
        ),
        Repeat(
            "e", second.side, 1, 0.0, {}, factors=dict(second.factors), conditions={"cache": "warm"}, marks=("none",)
        ),
    )
    run = dataclasses.replace(RUN, experiments=(Results("e", "?", "complete", 1.0, repeats),))
    [section] = _view.sections(run, [], [])
    assert section.telling == (first,)
    assert {one.name: one.values for one in section.facts} == {
        "prober": ("14 parts, told by ./lab report --json",), "few": ("a: 1",)}  # fmt: skip
    assert [one.values for one in section.conditions] == [("—", "warm")]
