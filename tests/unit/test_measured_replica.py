"""The fairness conditions of a repeat are those of the replica that was measured, not of the first of its side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.outputs import Replica
from labkit.measure._conduct import Conductor
from labkit.measure.experiment import Experiment, Seen, Turn, take_turns
from labkit.runs.records import Run
from labs.deployment import resources, size
from labs.deployment.fakes import Fake
from tests.unit.lab_fakes import FakeLab, empty_run


def conducted(folder: Path, seen: Mapping[str, Replica | None]) -> Run:
    """A run of one repeat a side that measured these replicas."""
    lab = FakeLab(folder)
    experiment = Experiment(
        "size", "how large?", "which?", lambda sides, _quick: take_turns(sides, 1, warm_ups=0),
        lambda _place, turn: Seen({"packages": 1.0}, replica=seen[turn.side]), lambda _place: None,
    )  # fmt: skip
    return Conductor(lab.place, empty_run(), lab.hands).conduct([experiment])


def test_conditions_are_read_from_the_replica_that_was_measured(tmp_path: Path) -> None:
    """Where an experiment names none, it is the first of the turn's side."""
    third = Replica("vm-3", "vm", "server-1", "http://vm", "vm-3")
    run = conducted(tmp_path, {"vm": third, "container": None})
    assert [one.conditions["boot_id"] for one in run.experiments[0].repeats] == ["vm-3", "container-1"]


@pytest.mark.parametrize("side", ["vm", "container"])
def test_resources_names_the_further_replica(side: str, tmp_path: Path) -> None:
    """The third, not the first."""
    with Fake("deployment", tmp_path).standing_in() as place:
        seen = resources.measure(place, Turn(side, 2, "replica 3"))
    assert seen.replica is not None
    assert seen.replica.name == f"{side}-3"


@pytest.mark.parametrize("side", ["vm", "container"])
def test_size_names_the_second_replica(side: str, tmp_path: Path) -> None:
    """It is the one that is newly made; the image is the same for both."""
    with Fake("deployment", tmp_path).standing_in() as place:
        seen = size.measure(place, Turn(side, 1))
    assert seen.replica is not None
    assert seen.replica.name == f"{side}-2"
    assert dataclasses.asdict(seen)["facts"]["second_replica"]["replica"] == f"{side}-2"
