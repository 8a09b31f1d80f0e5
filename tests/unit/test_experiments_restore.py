"""Whatever is under way when Ctrl-C comes, each experiment of each lab puts right all that it had touched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.measure import labs, testing
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.testing import CHANGED, FakeLab
from labkit.sides import SIDES
from labkit.system import stack_files

TURNS = [
    pytest.param(lab, experiment, turn, id=f"{lab} {experiment.name} {turn.side} {turn.action}".strip())
    for lab in stack_files.names()
    for experiment in labs.load(lab).experiments
    for turn in dict.fromkeys(dataclasses.replace(one, number=1) for one in experiment.turns(tuple(SIDES), True))
]
"""Each kind of turn of each experiment there is: nobody keeps a list by hand."""


def left(fake: FakeLab, experiment: Experiment, turn: Turn) -> tuple[set[str], int]:
    """What a turn leaves behind once it has ended, or was interrupted, and its experiment was restored; its steps."""
    with fake.standing_in() as place:
        try:
            experiment.measure(place, turn)
        except KeyboardInterrupt:
            fake.interrupt_at = -1
        else:
            assert fake.interrupt_at < 0, "it was not interrupted"
            rest = {one for one in fake.touched if not one.endswith(CHANGED)}
            assert not rest, f"{rest} would be there in the next turn; only settings may stay changed until restore"
        steps = len(fake.steps)
        experiment.restore(place)
        fake.bring_back(place)
    return fake.touched, steps


@pytest.mark.parametrize(("lab", "experiment", "turn"), TURNS)
def test_an_interruption_at_any_step_is_put_right(lab: str, experiment: Experiment, turn: Turn, tmp_path: Path) -> None:
    """Just before and just after each thing that is done to the lab; and when nobody interrupts."""
    kind = testing.fake(lab)
    stays, steps = left(kind(lab, tmp_path), experiment, turn)
    assert not stays, f"say in labs/{lab}/fakes.py what such a command does, or undo it"
    assert steps
    for at in range(2 * steps):
        folder = tmp_path / str(at)
        folder.mkdir()
        fake = kind(lab, folder, at)
        stays, _ = left(fake, experiment, turn)
        assert not stays, (at, fake.steps)


def _stops(place: Place, turn: Turn) -> Seen:
    replica = place.replica(turn.side)
    place.side(replica).stop(replica, place.run(replica))
    place.side(replica).start(replica, place.run(replica))
    return Seen({})


def _writes(place: Place, turn: Turn) -> Seen:
    place.inside(place.replica(turn.side))(["touch", "/tmp/x"])
    return Seen({})


@pytest.mark.parametrize(
    ("measure", "stays"), [(_stops, set()), (_writes, {"touch /tmp/x in vm-1"})], ids=["a stop", "an unknown command"]
)
def test_what_nobody_undoes_is_left(measure: Callable[[Place, Turn], Seen], stays: set[str], tmp_path: Path) -> None:
    """The demand has teeth: a command of which a lab says nothing counts as done, whatever an empty restore says."""
    toy = Experiment("toy", "?", "?", lambda sides, _quick: take_turns(sides, 1), measure, lambda _place: None)
    fake = FakeLab("toy", tmp_path, interrupt_at=1)
    assert left(fake, toy, Turn("vm", 1))[0] == stays
