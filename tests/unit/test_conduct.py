"""The conductor: turns, failures, interruptions at every step. What holds of the lab and of the folder afterwards."""

from __future__ import annotations

import errno
import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.measure._conduct import Conductor
from labkit.measure.experiment import Place, Seen, Turn, take_turns
from labkit.runs import run_folder
from labkit.runs.records import Arm
from labkit.runs.run_folder import RunError
from labkit.system.errors import LabError
from tests.unit.lab_fakes import FakeLab, empty_run


@pytest.fixture(autouse=True)
def _every_interrupt_counts() -> Iterator[None]:
    """The suite takes two within a second for one; here each is one of its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_whole_run_is_on_disk_as_it_is_returned(tmp_path: Path) -> None:
    """Every repeat of both experiments, sides taking turns, warm-ups apart, conditions of both kinds."""
    lab = FakeLab(tmp_path)
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("size"), lab.experiment("start")])
    assert run_folder.load(tmp_path) == run
    assert [one.state for one in run.experiments] == ["complete", "complete"]
    start = run.experiment("start")
    assert start is not None
    assert [(one.side, one.number) for one in start.repeats] == [
        (side, number) for number in (0, 1, 2) for side in ("vm", "container")
    ]
    assert [one.counts for one in start.repeats] == [False, False, True, True, True, True]
    assert start.repeats[0].conditions == {"boot_id": "vm-1", "start_line": "here"}
    assert run.finished
    assert lab.state == "steady"


def test_turns_along_paths_that_the_lab_has_not_are_left_out(tmp_path: Path) -> None:
    """It says which; those of its own paths are made. With none of them, the experiment fails for that reason."""
    lab = FakeLab(tmp_path)
    arms = [Arm(side, {"path": path}) for side, path in (("vm", "bridged"), ("vm", "nat"), ("container", "host"))]
    some = replace(lab.experiment("size"), turns=lambda _sides, _quick: take_turns(arms, 1))
    none = replace(lab.experiment("start"), turns=lambda _sides, _quick: take_turns(arms[1:], 1))
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([some, none])
    assert [(str(one.arm), one.number) for one in run.experiments[0].repeats] == [("vm bridged", 0), ("vm bridged", 1)]
    told = "the lab has no replica of vm nat, container host; it has one with: pulumi config set paths all"
    assert f"size: {told} -s deployment" in lab.progress.lines
    assert (run.experiments[1].state, run.experiments[1].problem) == ("failed", told)


def test_what_the_machine_lacks_is_said_before_the_first_turn(tmp_path: Path) -> None:
    """By the experiment, which goes on; one that cannot even look fails with that reason, and the next one runs."""
    lab = FakeLab(tmp_path)
    some = replace(lab.experiment("size"), lacks=lambda _place, turns: [f"{turns[0].arm} is left out: no room"])

    def blind(_place: Place, _turns: Sequence[Turn]) -> list[str]:
        raise LabError("There is one replica only.")

    run = Conductor(lab.place, empty_run(), lab.hands).conduct(
        [replace(lab.experiment("start"), lacks=blind), some],
    )
    assert [(one.state, one.problem, len(one.repeats) > 0) for one in run.experiments] == [
        ("failed", "There is one replica only.", False),
        ("complete", "", True),
    ]
    told = lab.progress.lines.index("size: vm is left out: no room")
    assert told < next(at for at, line in enumerate(lab.progress.lines) if line.startswith("size, 1 of "))


def test_quick_reaches_the_experiment(tmp_path: Path) -> None:
    """It decides how many repeats it makes."""
    lab = FakeLab(tmp_path)
    run = Conductor(lab.place, empty_run(quick=True), lab.hands).conduct([lab.experiment("start")])
    assert len(run.experiments[0].repeats) == 4


def test_full_reaches_the_experiment_that_has_turns_for_it(tmp_path: Path) -> None:
    """Others make those of a normal run."""
    lab = FakeLab(tmp_path)
    some = replace(lab.experiment("size"), full=lambda sides: take_turns(sides, 5, warm_ups=0))
    normal = len(lab.experiment("start").turns(("vm", "container"), False))
    run = Conductor(lab.place, empty_run(full=True), lab.hands).conduct([some, lab.experiment("start")])
    assert [len(one.repeats) for one in run.experiments] == [10, normal]


def test_quick_and_full_at_once_make_all_there_is_a_few_times(tmp_path: Path) -> None:
    """All arms of a full run, each as often as a quick one makes its own; the report says both words."""
    lab = FakeLab(tmp_path)
    arms = [Arm(side, {"timers": one}) for one in ("default", "matched") for side in ("vm", "container")]
    some = replace(
        lab.experiment("size"),
        turns=lambda sides, quick: take_turns(sides, 1 if quick else 3, warm_ups=0),
        full=lambda _: take_turns(arms, 10, warm_ups=0),
    )
    run = Conductor(lab.place, empty_run(full=True, quick=True), lab.hands).conduct([some])
    assert [(one.arm, one.number) for one in run.experiments[0].repeats] == [(arm, 1) for arm in arms]
    assert run.depth == ("full", "quick")


def test_an_exercise_is_complete_though_none_of_its_repeats_counts(tmp_path: Path) -> None:
    """All of them are marked. What is judged has failed then."""
    lab = FakeLab(tmp_path)
    size = lab.experiment("size")

    def marked(place: Place, turn: Turn) -> Seen:
        return replace(size.measure(place, turn), marks=("an exercise",))

    judged, exercise = replace(size, measure=marked), replace(size, name="start", measure=marked, exercise=True)
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([judged, exercise])
    assert [(one.state, one.problem) for one in run.experiments] == [("failed", "no repeat counts"), ("complete", "")]


def _steps(folder: Path) -> int:
    folder.mkdir()
    lab = FakeLab(folder)
    Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("size", 1), lab.experiment("start", 1)])
    return len(lab.steps)


def test_an_interruption_at_any_step_leaves_the_lab_steady_and_the_run_readable(tmp_path: Path) -> None:
    """Whatever is under way when Ctrl-C comes: the lab is restored, and no whole repeat is lost."""
    total = _steps(tmp_path / "whole")
    assert total > 20
    for at in range(1, total):
        folder = tmp_path / str(at)
        folder.mkdir()
        lab = FakeLab(folder, interrupt_at=at)
        experiments = [lab.experiment("size", 1), lab.experiment("start", 1)]
        with pytest.raises(KeyboardInterrupt):
            Conductor(lab.place, empty_run(), lab.hands).conduct(experiments)
        assert lab.state == "steady", lab.steps
        assert lab.steps[-1] == "bring back done", (at, lab.steps)
        run = run_folder.load(folder)
        assert run.finished
        whole = lab.steps.count("measured")
        kept = sum(len(one.repeats) for one in run.experiments)
        # The step that is interrupted may be the last of a repeat.
        assert whole - 1 <= kept <= whole, (at, lab.steps)
        assert all(not repeat.problem for one in run.experiments for repeat in one.repeats)


def test_an_interrupted_experiment_is_called_so(tmp_path: Path) -> None:
    """Those before it stay complete."""
    lab = FakeLab(tmp_path)
    whole = len(lab.steps)
    Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("size", 1)])
    whole = len(lab.steps)
    lab = FakeLab(tmp_path, interrupt_at=whole + 1)
    with pytest.raises(KeyboardInterrupt):
        Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("size", 1), lab.experiment("start", 1)])
    run = run_folder.load(tmp_path)
    assert [(one.name, one.state) for one in run.experiments] == [("size", "complete"), ("start", "interrupted")]


def test_a_lab_that_is_not_steady_is_refused_and_left_alone(tmp_path: Path) -> None:
    """No repeat, no restore, no folder."""
    lab = FakeLab(tmp_path)

    def refuse(_place: object) -> None:
        raise LabError("The lab deployment is not in its steady state.")

    hands = type(lab.hands)(check=refuse, bring_back=lab.hands.bring_back, conditions=lab.hands.conditions)
    with pytest.raises(LabError, match="not in its steady state"):
        Conductor(lab.place, empty_run(), hands).conduct([lab.experiment("size")])
    assert lab.steps == []
    assert not (tmp_path / run_folder.RUN).exists()


def test_a_failing_repeat_is_kept_with_its_problem_and_the_run_goes_on(tmp_path: Path) -> None:
    """The lab is restored before the next one."""
    lab = FakeLab(tmp_path, fails=lambda turn: LabError("no 200") if turn == Turn("vm", 1) else None)
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("start")])
    repeats = run.experiments[0].repeats
    assert [(one.side, one.number) for one in repeats if one.problem] == [("vm", 1)]
    assert next(one for one in repeats if one.problem).problem == "no 200"
    assert run.experiments[0].state == "complete"
    assert lab.steps[lab.steps.index("restore") - 1] == "measure"


def test_an_experiment_whose_repeats_keep_failing_is_given_up_and_the_next_one_runs(tmp_path: Path) -> None:
    """Two in a row of one side; the other experiment is complete."""
    lab = FakeLab(tmp_path)
    broken = FakeLab(tmp_path, fails=lambda turn: LabError("no 200") if turn.side == "vm" else None)
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([broken.experiment("start", 9), lab.experiment("size")])
    assert [(one.name, one.state) for one in run.experiments] == [("start", "failed"), ("size", "complete")]
    assert run.experiments[0].problem == "2 repeats of vm failed one after the other: no 200"
    assert len(run.experiments[0].repeats) == 3


def test_a_number_that_json_does_not_know_spoils_its_repeat_alone(tmp_path: Path) -> None:
    """The folder stays readable."""
    lab = FakeLab(tmp_path)
    hands = type(lab.hands)(
        check=lab.hands.check,
        bring_back=lab.hands.bring_back,
        conditions=lambda _place, replica: {"vcpus": float("nan") if replica.side == "vm" else 1.0},
        clock=itertools.count().__next__,
    )
    run = Conductor(lab.place, empty_run(), hands).conduct([lab.experiment("start", 1)])
    assert [bool(one.problem) for one in run.experiments[0].repeats] == [True, False, True]
    assert run_folder.load(tmp_path) == run


def test_a_lab_that_does_not_come_back_ends_the_run(tmp_path: Path) -> None:
    """What was measured stays, and the problem is in the record."""
    lab = FakeLab(tmp_path)

    def refuse(_place: object) -> None:
        raise LabError("The lab deployment does not come back.")

    hands = type(lab.hands)(check=lab.hands.check, bring_back=refuse, conditions=lab.hands.conditions)
    with pytest.raises(LabError, match="does not come back"):
        Conductor(lab.place, empty_run(), hands).conduct([lab.experiment("size"), lab.experiment("start")])
    run = run_folder.load(tmp_path)
    assert [(one.name, one.state, len(one.repeats)) for one in run.experiments] == [("size", "failed", 6)]
    assert run.experiments[0].problem == "it did not come back: The lab deployment does not come back."


def test_a_full_disk_ends_the_run_with_all_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run up to the repeat before stays readable; the lab is restored."""
    lab = FakeLab(tmp_path)
    real = run_folder.save
    written: list[object] = []

    def save(run: object, folder: Path) -> object:
        if len(written) == 4:
            raise run_folder._cannot_write(folder, OSError(errno.ENOSPC, "No space left on device"))
        written.append(run)
        return real(run, folder)  # type: ignore[arg-type]  # what came in

    monkeypatch.setattr(run_folder, "save", save)
    with pytest.raises(RunError, match="No space left on device"):
        Conductor(lab.place, empty_run(), lab.hands).conduct([lab.experiment("size", 9)])
    assert lab.state == "steady"
    assert len(run_folder.load(tmp_path).experiments[0].repeats) == 3
