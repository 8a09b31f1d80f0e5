"""An outage in parts: they sum to it, and what nobody told of is not given a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure.stages import UNEXPLAINED
from labs.failover.outage import DETECT, FENCE, PARTS, PLACE, READY, ROUTE, START, Moment, split


def at(part: str, at_s: float) -> Moment:
    return Moment(part, at_s, f"who told of {part}", 0.01)


END = at(ROUTE, 22.5)
TOLD = [at(DETECT, 13.5), at(FENCE, 14.1), at(PLACE, 14.2), at(START, 14.8), at(READY, 22.3)]


def parts_of(moments: list[Moment], parts: tuple[str, ...] = PARTS) -> dict[str, float]:
    return {stage.name: stage.s for stage in split(10.0, END, moments, parts)}


def test_each_part_ends_when_it_was_told() -> None:
    """From the last good answer to the first lasting one."""
    expected = {DETECT: 3.5, FENCE: 0.6, PLACE: 0.1, START: 0.6, READY: 7.5, ROUTE: 0.2}
    assert parts_of(TOLD) == pytest.approx(expected)


def test_a_side_without_a_part_has_none() -> None:
    """Swarm fences nobody."""
    without = (DETECT, PLACE, START, READY, ROUTE)
    told = parts_of(TOLD, without)
    assert list(told) == list(without)
    assert told[PLACE] == pytest.approx(0.7)


@pytest.mark.parametrize("silent", [DETECT, FENCE, START, READY])
def test_what_nobody_told_of_is_unexplained(silent: str) -> None:
    """With the part behind it, as where the one ends and the other begins is not known."""
    told = parts_of([one for one in TOLD if one.part != silent])
    assert silent not in told
    behind = PARTS[PARTS.index(silent) + 1]
    whole = parts_of(TOLD)
    lost = whole[silent] + whole[behind]
    assert told.get(UNEXPLAINED, told.get(behind)) == pytest.approx(lost)
    assert (UNEXPLAINED in told) == (lost > 0.05 * 12.5)
    assert sum(told.values()) == pytest.approx(12.5)


def test_what_came_before_or_behind_belongs_to_something_else() -> None:
    """An earlier start, and another server that is lost later."""
    assert parts_of([at(START, 9.0), *TOLD, at(DETECT, 30.0)]) == parts_of(TOLD)


def test_of_several_starts_the_last_one_counts_and_of_several_who_notice_the_first() -> None:
    """A start that failed was tried again; three servers say that the fourth is lost."""
    told = parts_of([*TOLD, at(DETECT, 13.6), at(START, 14.5), at(PLACE, 14.15)])
    assert told == pytest.approx(parts_of(TOLD))


def test_without_a_source_all_of_it_is_unexplained() -> None:
    """And says who did not tell."""
    (stage,) = split(10.0, END, [], PARTS)
    assert (stage.name, stage.s) == (UNEXPLAINED, 12.5)
    assert stage.source == "no source told of detect or fence or place or start or ready"


_MOMENTS = st.lists(st.builds(at, st.sampled_from(PARTS[:-1]), st.floats(0.0, 40.0)), max_size=12)


@given(_MOMENTS, st.floats(0.001, 30.0), st.sampled_from([PARTS, PARTS[2:], (DETECT, PLACE, START, READY, ROUTE)]))
def test_parts_sum_to_the_outage_whatever_was_told(moments: list[Moment], s: float, parts: tuple[str, ...]) -> None:
    """In their order, each once, none negative."""
    stages = split(10.0, at(ROUTE, 10.0 + s), moments, parts)
    assert sum(stage.s for stage in stages) == pytest.approx(s, abs=1e-3)
    assert all(stage.s >= 0 for stage in stages)
    names = [stage.name for stage in stages if stage.name != UNEXPLAINED]
    assert names == [part for part in parts if part in names]
    assert len(stages) - len(names) <= 1
