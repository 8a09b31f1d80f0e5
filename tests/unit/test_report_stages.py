"""Bars of stages: the repeat in the middle in its parts, every repeat as a point, one axis where they can share it."""

from __future__ import annotations

import re

import pytest

from labkit.report import _plots, series
from labkit.report.series import StageBar, one_axis
from labkit.runs.records import Arm, Repeat, Results, Stage


def repeat(side: str, number: int, *parts_s: float, mark: str = "") -> Repeat:
    stages = tuple(Stage(f"part {n}", s, "a log", 0.01) for n, s in enumerate(parts_s, 1))
    return Repeat("killed", side, number, 0.0, {}, stages=stages, marks=(mark,) if mark else ())


def bars(*repeats: Repeat) -> list[StageBar]:
    done = Results("killed", "?", "complete", 1.0, repeats)
    return series.stage_bars(done, "", [Arm("vm"), Arm("container")])


def test_every_repeat_that_counts_is_a_point_below_the_one_in_the_middle() -> None:
    """Neither a warm-up nor a marked one is."""
    (bar,) = bars(
        repeat("vm", 0, 90.0, 9.0),
        repeat("vm", 1, 8.0, 4.0),
        repeat("vm", 2, 7.0, 9.0),
        repeat("vm", 3, 9.0, 5.0),
        repeat("vm", 4, 50.0, 50.0, mark="late prober"),
    )
    assert (bar.number, bar.total, bar.longest) == (3, 14.0, 16.0)
    assert [(point.number, point.value) for point in bar.points] == [(1, 12.0), (2, 16.0), (3, 14.0)]
    drawn = _plots.stages(bar, bar.longest)
    (points,) = re.findall(r'class="mark-symbol role-mark[^"]*"[^>]*>(.*?)</g>', drawn, re.DOTALL)
    assert points.count("<path") == 3


@pytest.mark.parametrize(("container_s", "together"), [(18.0, True), (1.9, True), (1.4, False)])
def test_bars_share_an_axis_where_none_is_pressed_into_a_line(container_s: float, together: bool) -> None:
    """Up to ten times as long; and a bar alone has nothing to be read against."""
    found = bars(repeat("vm", 1, 12.0, 6.0), repeat("container", 1, container_s))
    assert one_axis(found) == together
    assert not one_axis(found[:1])


def test_a_bar_on_an_axis_that_goes_further_ends_before_it() -> None:
    """The same seconds are as wide on both."""
    (bar,) = bars(repeat("vm", 1, 8.0, 2.0))

    def right_px(until_s: float) -> float:
        drawn = _plots.stages(bar, until_s)
        (marks,) = re.findall(r'class="mark-rect role-mark[^"]*"[^>]*>(.*?)</g>', drawn, re.DOTALL)
        corners = re.findall(r'd="M([\d.]+),[\d.]+h([\d.]+)', marks)
        return max(float(left) + float(width) for left, width in corners)

    assert right_px(20.0) == pytest.approx(right_px(10.0) / 2, rel=0.05)
