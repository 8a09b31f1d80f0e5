"""Faults: noted before they are struck, one at a time, undone by whoever finds the note."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra import machine
from labkit import cli
from labkit.commands import fault, up
from labkit.lifecycle import in_use, steady
from labkit.lifecycle.running import RunningLab
from labkit.measure import faults, labs
from labkit.measure.faults import Fault, Target
from labkit.measure.labs import Lab
from labkit.measure.testing import FakeLab
from labkit.system.errors import LabError
from labkit.system.progress import Quiet


class Struck:
    """A fault that keeps what was done, and what lay in the lab's folder then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.broken: Exception | None = None

    def fault(self, name: str = "unplugged") -> Fault:
        return Fault(name, "A cable is pulled.", self._aim, self._strike, self._undo)

    def _aim(self, _place: RunningLab, side: str) -> Sequence[str]:
        return [f"{side}-server"]

    def _strike(self, _place: RunningLab, target: Target) -> None:
        noted = json.loads((self.folder / "fault.json").read_text(encoding="utf-8"))
        assert noted == {"fault": target.fault, "side": target.side, "servers": list(target.servers)}
        self.done.append(f"strike {target.servers[0]}")
        if self.broken:
            raise self.broken

    def _undo(self, _place: RunningLab, target: Target) -> None:
        self.done.append(f"undo {target.servers[0]}")
        if self.broken:
            raise self.broken


@pytest.fixture
def place(tmp_path: Path) -> RunningLab:
    return FakeLab("toy", tmp_path).place


@pytest.fixture
def struck(tmp_path: Path) -> Struck:
    return Struck(tmp_path)


def test_it_is_noted_before_it_is_struck_and_undone_once(place: RunningLab, struck: Struck) -> None:
    """Nobody can be killed between the two."""
    pulled = struck.fault()
    found = faults.strike(place, pulled, "vm")
    assert found.begin_s <= found.end_s
    assert faults.in_force(place.ready, "toy") == Target("unplugged", "vm", ("vm-server",))
    assert faults.undo(place, [pulled]) == found.target
    assert faults.in_force(place.ready, "toy") is None
    assert faults.undo(place, [pulled]) is None
    assert struck.done == ["strike vm-server", "undo vm-server"]


def test_two_faults_at_once_are_refused(place: RunningLab, struck: Struck) -> None:
    """The second one touches nothing."""
    faults.strike(place, struck.fault(), "vm")
    with pytest.raises(LabError, match="The fault unplugged is in force on the side vm") as refused:
        faults.strike(place, struck.fault("another"), "container")
    assert refused.value.hint == "./lab fault toy --undo"
    assert struck.done == ["strike vm-server"]


def test_what_was_struck_in_part_is_undone(place: RunningLab, struck: Struck) -> None:
    """A strike that failed is in force all the same."""
    struck.broken = LabError("half of it")
    with pytest.raises(LabError, match="half of it"):
        faults.strike(place, struck.fault(), "vm")
    struck.broken = None
    assert faults.undo(place, [struck.fault()])
    assert struck.done == ["strike vm-server", "undo vm-server"]


def test_what_is_not_undone_stays_noted(place: RunningLab, struck: Struck) -> None:
    """The next one tries again."""
    faults.strike(place, struck.fault(), "vm")
    struck.broken = LabError("the engine is gone")
    with pytest.raises(LabError, match="the engine is gone"):
        faults.undo(place, [struck.fault()])
    assert faults.in_force(place.ready, "toy")


def test_an_edited_note_is_refused(place: RunningLab, tmp_path: Path) -> None:
    """With the next step."""
    (tmp_path / "fault.json").write_text("[]", encoding="utf-8")
    with pytest.raises(LabError, match="was edited") as refused:
        faults.in_force(place.ready, "toy")
    assert refused.value.hint.endswith("then ./lab up toy")


@pytest.mark.parametrize(
    ("known", "problem", "hint"),
    [
        (["server-killed"], "has no fault 'server-kiled'; there is server-killed.", "Did you mean server-killed?"),
        (["cut"], "has no fault 'server-kiled'; there is cut.", "./lab fault toy --list"),
        ([], "The lab toy has no faults.", "./lab --help"),
    ],
)
def test_an_unknown_fault_is_refused(struck: Struck, known: list[str], problem: str, hint: str) -> None:
    """Those that there are are named."""
    with pytest.raises(LabError) as refused:
        faults.named([struck.fault(name) for name in known], "server-kiled", "toy")
    assert problem in refused.value.problem
    assert refused.value.hint == hint


def test_a_lab_with_a_fault_in_force_is_not_measured(
    place: RunningLab, struck: Struck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its check says so, and its way to the steady state undoes it."""
    monkeypatch.setattr(steady, "problems", lambda _place: [])
    lab = Lab("toy", "?", (), (), faults=(struck.fault(),))
    lab.check(place)
    faults.strike(place, lab.faults[0], "vm")
    with pytest.raises(LabError, match="The fault unplugged is in force on the side vm"):
        lab.check(place)
    lab.to_steady_state(place)
    lab.check(place)
    assert struck.done[-1] == "undo vm-server"


def test_every_fault_of_every_lab_says_what_it_breaks() -> None:
    """A sentence; and no two have one name."""
    for lab in (labs.load("failover"), labs.load("networking")):
        names = [fault.name for fault in lab.faults]
        assert len(names) == len({*names})
        assert all(fault.what.endswith(".") for fault in lab.faults)


def test_a_change_is_noted_until_it_is_forgotten(place: RunningLab) -> None:
    """So that the next `up` sets back what a killed run had set."""
    assert not faults.changed(place.ready, "toy")
    faults.note_change(place, "timers of vm: matched")
    assert faults.changed(place.ready, "toy")
    faults.forget(place.ready, "toy")
    assert not faults.changed(place.ready, "toy")


class _Lab:
    """What `up` loads."""

    def __init__(self, struck: Struck) -> None:
        self.faults = (struck.fault(),)
        self.set_back: list[str] = []

    def bring_back(self, place: RunningLab) -> None:
        self.set_back.append(place.lab)


@pytest.fixture
def lab(place: RunningLab, struck: Struck, monkeypatch: pytest.MonkeyPatch) -> _Lab:
    lab = _Lab(struck)
    monkeypatch.setattr(labs, "load", lambda _name: lab)
    monkeypatch.setattr(faults, "running", lambda *_words: place)
    return lab


def test_up_undoes_what_a_killed_run_has_struck(place: RunningLab, struck: Struck, lab: _Lab) -> None:
    """Before anything of the lab is looked at: a server that is cut off could not be healed."""
    faults.strike(place, lab.faults[0], "vm")
    up._end_fault(place.ready, "toy", Quiet())
    assert struck.done == ["strike vm-server", "undo vm-server"]
    assert faults.in_force(place.ready, "toy") is None
    up._end_fault(place.ready, "toy", Quiet())
    assert len(struck.done) == 2


def test_up_goes_on_where_a_fault_cannot_be_undone(place: RunningLab, struck: Struck, lab: _Lab) -> None:
    """Healing is for what is left; then nothing is in force any more."""
    faults.strike(place, lab.faults[0], "vm")
    struck.broken = LabError("its server is gone")
    up._end_fault(place.ready, "toy", Quiet())
    up._set_back(place.ready, "toy", Quiet())
    assert faults.in_force(place.ready, "toy") is None


def test_up_sets_back_what_a_killed_run_had_changed(place: RunningLab, lab: _Lab) -> None:
    """Once, and only where something was noted."""
    up._set_back(place.ready, "toy", Quiet())
    assert lab.set_back == []
    faults.note_change(place, "timers of vm: matched")
    up._set_back(place.ready, "toy", Quiet())
    up._set_back(place.ready, "toy", Quiet())
    assert lab.set_back == ["toy"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fault", "networking"], "The lab networking has no faults."),
        (["fault", "failover", "--list"], "server-killed"),
        (["fault", "failover", "--json"], '"in_force": null'),
    ],
)
def test_faults_are_listed_where_nothing_is_set_up(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One can read about them first."""
    monkeypatch.setattr(machine, "FILE", tmp_path / "machine.json")
    monkeypatch.setattr(machine.load, "__defaults__", (tmp_path / "machine.json",))
    done = CliRunner().invoke(cli.lab, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert says in done.output


@pytest.mark.parametrize("words", [["--undo", "server-killed"], ["--undo", "--side", "vm"], ["--undo", "--list"]])
def test_undo_takes_nothing_else(words: list[str]) -> None:
    """It knows what was struck."""
    done = CliRunner().invoke(cli.lab, ["fault", "failover", *words])
    assert done.exit_code == 2
    assert "--undo knows what was struck" in done.output


@pytest.mark.parametrize(
    ("side", "problem", "hint"),
    [
        ("", "--side is missing: vm, container.", "./lab fault toy unplugged --side vm"),
        ("vms", "--side vms is none of vm, container.", "Did you mean vm?"),
    ],
)
def test_the_side_is_named(place: RunningLab, side: str, problem: str, hint: str) -> None:
    """Nothing is struck on a guess."""
    with pytest.raises(LabError) as refused:
        fault._side(place, side, "unplugged")
    assert (refused.value.problem, refused.value.hint) == (problem, hint)


@pytest.fixture
def by_hand(place: RunningLab, struck: Struck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The toy lab, as `./lab fault` finds it."""
    found = Lab("toy", "?", (), (), faults=(struck.fault(),))
    monkeypatch.setattr(labs, "load", lambda _name: found)
    monkeypatch.setattr(fault, "_place", lambda _lab, _progress: place)
    monkeypatch.setattr(in_use, "STATE", tmp_path / "state")
    return found


def test_a_lab_that_is_not_green_is_not_broken_further(
    by_hand: Lab, struck: Struck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is wrong is told, with the next step, and nothing is noted or struck."""
    monkeypatch.setattr(steady, "problems", lambda _place: ["The server server-2 is exited.", "The edge is exited."])
    with pytest.raises(LabError) as refused:
        fault.strike(by_hand.name, "unplugged", "vm")
    assert "The server server-2 is exited.\n  The edge is exited." in refused.value.problem
    assert refused.value.hint == "./lab up toy"
    assert (struck.done, list(struck.folder.glob("*.json"))) == ([], [])
    monkeypatch.setattr(steady, "problems", lambda _place: [])
    assert fault.strike(by_hand.name, "unplugged", "vm") == 0
    with pytest.raises(LabError, match="one at a time is enough"):
        fault.strike(by_hand.name, "unplugged", "container")
    assert struck.done == ["strike vm-server"]


def test_while_a_lab_is_measured_nobody_breaks_or_mends_it_by_hand(by_hand: Lab, struck: Struck) -> None:
    """The run strikes and undoes by itself."""
    with in_use.by("run", "toy"):
        with pytest.raises(LabError, match=r"The lab toy is in use by \./lab run"):
            fault.strike(by_hand.name, "unplugged", "vm")
        with pytest.raises(LabError, match=r"The lab toy is in use by \./lab run"):
            fault.undo(by_hand.name)
    assert struck.done == []
