"""The fairness conditions of a repeat are those of the replica that was measured, not of the first of its side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.outputs import Replica
from labkit.measure import footprint
from labkit.measure._conduct import Conductor
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.runs.records import Run
from labs.deployment import resources, size
from tests.unit import lab_world
from tests.unit.lab_fakes import FakeLab, empty_run
from tests.unit.lab_world import World


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
def test_resources_names_the_further_replica(side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third, not the first."""
    world = World(tmp_path)
    lab_world.build(world, monkeypatch)
    seen = resources.measure(world.place, Turn(side, 2, "replica 3"))
    assert seen.replica is not None
    assert seen.replica.name == f"{side}-3"


@pytest.mark.parametrize("side", ["vm", "container"])
def test_size_names_the_second_replica(side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that is newly made; the image is the same for both."""
    world = World(tmp_path)
    lab_world.build(world, monkeypatch)
    sizes = SimpleNamespace(virtual_bytes=1, allocated_bytes=1, compressed_bytes=1, image="x", parts={})
    monkeypatch.setattr(Place, "side", lambda _place, _replica: SimpleNamespace(sizes=lambda *_words: sizes))
    monkeypatch.setattr(footprint, "read_disk", lambda *_words: {"own_disk_bytes": 1})
    monkeypatch.setattr(size, "_packages", lambda *_words: {"systemd": 1})
    seen = size.measure(world.place, Turn(side, 1))
    assert seen.replica is not None
    assert seen.replica.name == f"{side}-2"
    assert dataclasses.asdict(seen)["facts"]["second_replica"]["replica"] == f"{side}-2"
