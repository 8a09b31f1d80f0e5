"""Two values that happen to have the same numbers are two values: no page takes one for the other."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.judge.model import Measured
from labkit.judge.rows import judge
from labkit.report import _view, html, series, tables
from labkit.runs.records import Repeat, Results, Run
from tests.unit.judged import metric
from tests.unit.judging import CONTAINER, VM, conditions
from tests.unit.lab_fakes import empty_run

ARMS = (VM, CONTAINER)
FIRST = Measured(
    "first", "Speed", "A VM's first is slower.", metric("first_s", "twin", "s"), VM, CONTAINER, 1.5, "timer", "so"
)
SECOND = Measured(
    "second", "Speed", "A VM's second is slower.", metric("second_s", "twin", "s"), VM, CONTAINER, 50.0, "timer", "so"
)


@pytest.fixture
def run() -> Run:
    """An experiment whose repeats have two values, equal in each of them."""
    repeats = tuple(
        Repeat("twin", side, number, 0.0, dict.fromkeys(("first_s", "second_s"), seconds + number / 100),
               conditions=conditions(side, number, "kvm"))
        for number in range(11)
        for side, seconds in (("vm", 10.0), ("container", 1.0))
    )  # fmt: skip
    return empty_run(
        experiments=(Results("twin", "how long?", "complete", 9.0, repeats),), settings={"accelerator": "kvm"}
    )


def test_each_figure_has_its_own_claims_judgement(run: Run) -> None:
    """In whatever order they are judged; and one that no claim is about has none."""
    for claims in ((FIRST, SECOND), (SECOND, FIRST)):
        found = {one.name: one.judgements for one in tables.figures(run, judge(run, claims))}
        assert {name: [part.verdict for part in parts] for name, parts in found.items()} == {
            "first_s": ["holds"],
            "second_s": ["does not hold"],
        }
    alone = {one.name: one.judgements for one in tables.figures(run, judge(run, (SECOND,)))}
    assert {name: len(parts) for name, parts in alone.items()} == {"first_s": 0, "second_s": 1}


def test_a_figure_of_one_action_does_not_have_the_judgement_of_all(run: Run) -> None:
    """The claim counts the repeats of both actions; neither figure's ratio is the claim's."""
    [twin] = run.experiments
    repeats = [dataclasses.replace(one, action=f"way {one.number % 2}") for one in twin.repeats]
    both = dataclasses.replace(run, experiments=(dataclasses.replace(twin, repeats=tuple(repeats)),))
    assert {one.judgements for one in tables.figures(both, judge(both, (FIRST,)))} == {()}


def test_a_value_that_no_claim_is_about_is_shown(run: Run) -> None:
    """Though a claimed one has the same numbers."""
    [twin] = run.experiments
    assert [one.title for one in series.others(twin, [FIRST], ARMS)] == ["second"]
    assert series.others(twin, [FIRST, SECOND], ARMS) == []


def test_the_page_has_a_row_of_numbers_for_each(run: Run) -> None:
    """Both values of both sides."""
    [section] = _view.sections(run, judge(run, (FIRST,)), [])
    assert [(one.series.title, [line.arm for line in lines]) for one, lines in section.numbers] == [
        ("first", [VM, CONTAINER]),
        ("second", [VM, CONTAINER]),
    ]
    assert "second" in html.page(
        dataclasses.replace(run, machine={"cpu": "x", "cpus": 1, "memory_mib": 1}), judge(run, (FIRST,))
    )
