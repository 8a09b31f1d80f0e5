"""What a lab brings of its own counts wherever it should, and a small lab need not say any of it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench import common
from labkit.commands import bench, doctor, setup
from labkit.lifecycle import steady
from labkit.lifecycle.running import RunningLab
from labkit.measure import labs
from labkit.measure.labs import Lab
from labkit.measure.testing import FakeLab
from labkit.setup.checks import Check
from labkit.system import stack_files
from labkit.system.errors import LabError


def toy(**own: Any) -> Lab:
    """A lab without experiments."""
    return Lab("toy", "What?", (), (), **own)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningLab:
    """A lab whose servers and replicas are well."""
    monkeypatch.setattr(steady, "problems", lambda _place: ())
    return FakeLab("toy", tmp_path).place


def test_a_small_lab_is_steady_when_servers_and_replicas_are(place: RunningLab) -> None:
    """Nothing more is asked of it."""
    toy().check(place)
    toy().to_steady_state(place)


def test_what_steady_means_in_a_lab_keeps_it_from_being_measured(place: RunningLab) -> None:
    """It is named as everything else is."""
    with pytest.raises(LabError) as refused:
        toy(steady=lambda _place: ["The cluster has no quorum."]).check(place)
    assert refused.value.problem == "The lab toy is not in its steady state:\n  The cluster has no quorum."
    assert refused.value.hint == "./lab up toy"


@pytest.mark.parametrize("helps", [True, False])
def test_a_lab_is_brought_back_in_its_own_way(place: RunningLab, helps: bool) -> None:
    """Only where something of its own is wrong; and it is looked at again."""
    wrong = ["The cluster has no quorum."]
    done: list[str] = []

    def back(_place: RunningLab) -> None:
        done.append("back")
        if helps:
            wrong.clear()

    lab = toy(steady=lambda _place: list(wrong), bring_back=back)
    if helps:
        lab.to_steady_state(place)
        lab.to_steady_state(place)
    else:
        with pytest.raises(LabError, match="no quorum"):
            lab.to_steady_state(place)
    assert done == ["back"]


def test_a_labs_needs_are_checked_with_its_name_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that cannot be read fails as a check, with its own next step."""
    memory = Check("memory", False, "4096 MiB", "At least 8192 MiB are needed.")
    broken = LabError("The lab b cannot be read: x", hint="correct labs/b")

    def load(name: str) -> Lab:
        if name == "b":
            raise broken
        return toy(needs=(lambda: memory,))

    monkeypatch.setattr(stack_files, "names", lambda: ["a", "b"])
    monkeypatch.setattr(labs, "load", load)
    assert doctor.needs() == [
        Check("a: memory", False, "4096 MiB", "At least 8192 MiB are needed."),
        Check("b: its folder", False, broken.problem, "correct labs/b"),
    ]


def test_a_labs_own_bench_writes_into_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its name, and only there."""
    result = {"schema_version": 1, "machine": {}, "repeats": 3, "figures": []}
    monkeypatch.setattr(labs, "load", lambda _name: toy(benches={"moves": lambda *_words: result}))
    monkeypatch.setattr(setup, "prepare", lambda **_words: None)
    monkeypatch.setattr(common, "CHECKOUT", tmp_path)
    (tmp_path / "labs" / "toy").mkdir(parents=True)
    assert bench.run("moves", "toy", 3, engine_too=False, yes=True) == 0
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.json")] == ["labs/toy/bench/moves.json"]


def test_which_of_several_labs_is_measured_is_for_the_person_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one lab it need not be said."""
    monkeypatch.setattr(stack_files, "names", lambda: ["a", "b"])
    with pytest.raises(LabError) as refused:
        bench.run("up", None, 3, engine_too=False, yes=True)
    assert (refused.value.problem, refused.value.hint) == ("Which lab? There is a, b.", "./lab bench up a")


def test_a_bench_of_another_lab_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setattr(labs, "load", lambda _name: toy())
    with pytest.raises(LabError, match="There is no bench 'moves' with the lab toy; there is up, recover"):
        bench.run("moves", "toy", 3, engine_too=False, yes=True)


def test_a_lab_that_calls_itself_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs would be found under another name."""
    module: Any = SimpleNamespace(LAB=toy())

    def part(_name: str, _part: str) -> ModuleType:
        found: ModuleType = module
        return found

    monkeypatch.setattr(labs, "part", part)
    with pytest.raises(LabError, match="calls itself 'toy'") as refused:
        labs.load(stack_files.example())
    assert refused.value.hint == f"correct labs/{stack_files.example()}/lab.py"
