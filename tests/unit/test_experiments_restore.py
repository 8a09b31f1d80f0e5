"""Whatever is under way when Ctrl-C comes, each experiment's restore puts right all that it had touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.measure.experiment import Experiment, Turn
from labs.deployment import operating_system, portability, resources, update
from tests.unit import lab_world
from tests.unit.lab_world import World

EXPERIMENTS = [one.EXPERIMENT for one in (resources, operating_system, portability, update)]
TURNS = [
    pytest.param(experiment, turn, id=f"{experiment.name} {turn.side} {turn.action}".strip())
    for experiment in EXPERIMENTS
    for turn in experiment.turns(("vm", "container"), True)
]
MEASURES_LEAVE = {"resources": {"replicas is changed"}, "portability": {"servers is changed"}}
"""What one turn leaves for the next: an experiment's restore takes it away."""


def steps(experiment: Experiment, turn: Turn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many steps a turn has that nobody interrupts."""
    world = World(folder)
    with monkeypatch.context() as patch:
        lab_world.build(world, patch)
        experiment.measure(world.place, turn)
        assert world.touched <= MEASURES_LEAVE.get(experiment.name, set())
        total = len(world.steps)
        experiment.restore(world.place)
    assert not world.touched
    return total


@pytest.mark.parametrize(("experiment", "turn"), TURNS)
def test_an_interruption_at_any_step_is_put_right(
    experiment: Experiment, turn: Turn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before and just after each thing that is done to the lab."""
    total = steps(experiment, turn, tmp_path, monkeypatch)
    assert total > 4
    for at in range(2 * total):
        folder = tmp_path / str(at)
        folder.mkdir()
        world = World(folder, interrupt_at=at)
        with monkeypatch.context() as patch:
            lab_world.build(world, patch)
            with pytest.raises(KeyboardInterrupt):
                experiment.measure(world.place, turn)
            world.interrupt_at = -1
            experiment.restore(world.place)
            world.bring_back(world.place)
        assert not world.touched, (at, world.steps)
