"""Stages of a measured time, and the estimate of what is left: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure import _left
from labkit.measure.experiment import Turn
from labkit.measure.stages import UNEXPLAINED, Mark, between

END = Mark("first 200", 20.0, "poll", 0.025)

CASES: dict[str, tuple[list[Mark], str, list[tuple[str, float]]]] = {
    "in order, whatever the order in which they were read": (
        [Mark("listening", 18.0, "service", 0.01), Mark("engine", 11.0, "engine", 0.01)],
        "listening",
        [("engine", 1.0), ("listening", 7.0), ("first 200", 2.0)],
    ),
    "what belongs to another start is left out": (
        [Mark("engine", 9.0, "engine", 0.01), Mark("listening", 18.0, "service", 0.01), Mark("late", 21.0, "x", 0.01)],
        "listening",
        [("listening", 8.0), ("first 200", 2.0)],
    ),
    "a rest that nothing explains is named so": (
        [Mark("engine", 11.0, "engine", 0.01)],
        "listening",
        [("engine", 1.0), (UNEXPLAINED, 9.0)],
    ),
    "a small rest is not worth a name": (
        [Mark("engine", 19.6, "engine", 0.01)],
        "listening",
        [("engine", 9.6), ("first 200", 0.4)],
    ),
    "two sources of one instant": (
        [Mark("engine", 11.0, "engine", 0.01), Mark("process", 11.0, "stat", 0.01), Mark("listening", 19.0, "x", 0.01)],
        "listening",
        [("engine", 1.0), ("listening", 8.0), ("first 200", 1.0)],
    ),
    "nothing was told": ([], "listening", [(UNEXPLAINED, 10.0)]),
    "nothing was to be told": ([], "", [("first 200", 10.0)]),
}


@pytest.mark.parametrize("case", CASES)
def test_stages(case: str) -> None:
    """From 10 to 20 s."""
    marks, last, want = CASES[case]
    assert [(one.name, one.s) for one in between(10.0, marks, END, last=last)] == want


@given(st.lists(st.floats(0, 30), max_size=6), st.sampled_from(["", "1", "9"]))
def test_stages_always_sum_to_the_total(instants: list[float], last: str) -> None:
    """Whatever was noted; and none is negative."""
    marks = [Mark(str(number), at_s, "x", 0.01) for number, at_s in enumerate(instants)]
    stages = between(10.0, marks, END, last=last)
    assert sum(stage.s for stage in stages) == pytest.approx(10.0, abs=0.001)
    assert all(stage.s >= 0 for stage in stages)


def test_the_time_left_is_that_of_turns_alike() -> None:
    """Of the same side and action; of all where there is none yet; unknown before the first."""
    vm, container, other = Turn("vm", 1, "start"), Turn("container", 1, "start"), Turn("vm", 1, "deploy")
    done = [(vm, 10.0), (container, 1.0)]
    assert _left.left_s([], [vm]) is None
    assert _left.left_s(done, [vm, container, other]) == 16.5
    assert [_left.words(one) for one in (None, 16.5, 89.0, 150.0)] == [
        "time left not known yet",
        "about 16 s left",
        "about 89 s left",
        "about 2 min left",
    ]
