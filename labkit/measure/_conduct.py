"""Runs a lab's experiments: steady state, turns, conditions, restore, and a run folder that a kill does not lose."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from infra.outputs import Replica
from labkit.lifecycle import steady
from labkit.measure import _conditions as conditions
from labkit.measure import _left, _streams
from labkit.measure.experiment import Experiment, Place, Seen, Turn, turns
from labkit.runs import run_folder
from labkit.runs.records import Arm, Repeat, Results, Run, State
from labkit.system.errors import LabError
from labkit.system.signals import interrupts_wait

FAILURES = (LabError, OSError, ValueError, KeyError)
"""What spoils a repeat. Anything else is a bug: it ends the run, after the restore."""

IN_A_ROW = 2
"""So many repeats of one arm and action that fail one after the other end their experiment."""


@dataclass(frozen=True)
class Hands:
    """What the conductor reaches the lab and the clock by; fakes stand in here."""

    check: Callable[[Place], None] = steady.check
    bring_back: Callable[[Place], None] = steady.bring_back
    conditions: Callable[[Place, Replica], Mapping[str, str | int | float]] = conditions.gather
    clock: Callable[[], float] = time.monotonic


class Conductor:
    """Runs experiments into one run folder. After each repeat `run` and the folder hold all that was measured."""

    def __init__(self, place: Place, run: Run, hands: Hands | None = None) -> None:
        self.run = run
        self._place = place
        self._hands = hands or Hands()
        self._began = self._hands.clock()

    def conduct(self, experiments: Sequence[Experiment]) -> Run:
        """Run them one after the other; the run, finished. The lab is in its steady state before and after.

        An experiment that fails does not stop those behind it. Raises LabError when the lab is not in its steady
        state or does not come back to it, RunError when the folder cannot be written. Interruptions propagate when
        the lab is back and the folder written.
        """
        self._hands.check(self._place)
        try:
            self._save()
            for experiment in experiments:
                self._one(experiment)
        finally:
            with interrupts_wait(self._place.progress.line, "the run is written"):
                self.run = replace(self.run, finished=stamp())
                self._save()
        return self.run

    def _one(self, experiment: Experiment) -> None:
        # Until it is complete it counts as interrupted: that is what it is if this process dies.
        record = Results(experiment.name, experiment.question, "interrupted", 0.0, subject=tuple(experiment.subject))
        self.run = replace(self.run, experiments=(*self.run.experiments, record))
        begin = self._hands.clock()
        state: State = "interrupted"
        problem = ""
        try:
            problem = self._turns(experiment)
            state = "failed" if problem else "complete"
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            state, problem = "failed", _told(error)
            raise
        finally:
            with interrupts_wait(self._place.progress.line, "the lab is brought back to its steady state"):
                self._restore(experiment, state, problem, begin)

    def _restore(self, experiment: Experiment, state: State, problem: str, begin: float) -> None:
        try:
            with self._place.progress.step(f"{experiment.name}: back to the lab's steady state"):
                self._bring_back(experiment)
        except FAILURES as error:
            state, problem = "failed", f"{problem}; it did not come back: {_told(error)}".removeprefix("; ")
            raise
        finally:
            last = self.run.experiments[-1]
            ended = replace(last, state=state, problem=problem, seconds=round(self._hands.clock() - begin, 3))
            self.run = replace(self.run, experiments=(*self.run.experiments[:-1], ended))
            self._save()

    def _turns(self, experiment: Experiment) -> str:
        """Make all turns; why the experiment failed, empty if it did not."""
        sides = list(dict.fromkeys(replica.side for replica in self._place.contract.replicas))
        every = turns(experiment, sides, quick=self.run.quick, full=self.run.full)
        there = [turn for turn in every if self._place.has(turn.arm)]
        if len(there) < len(every):
            absent = ", ".join(dict.fromkeys(str(turn.arm) for turn in every if not self._place.has(turn.arm)))
            left_out = f"the lab has no replica of {absent}; it has one with: pulumi config set paths all"
            self._place.progress.line(f"{experiment.name}: {left_out} -s {self._place.lab}")
            if not there:
                return left_out
        try:
            for lack in experiment.lacks(self._place, there) if experiment.lacks else ():
                self._place.progress.line(f"{experiment.name}: {lack}")
        except FAILURES as error:
            return _told(error)
        done: list[tuple[Turn, float]] = []
        failing: dict[tuple[Arm, str], int] = {}
        for number, turn in enumerate(there):
            begin = self._hands.clock()
            told = f"{experiment.name}, {number + 1} of {len(there)}: {name(turn)}"
            with self._place.progress.step(f"{told}; {_left.words(_left.left_s(done, there[number:]))}"):
                repeat = self._turn(experiment, turn)
            with interrupts_wait(self._place.progress.line, "what was measured is written"):
                self._keep(repeat)
            done.append((turn, self._hands.clock() - begin))
            key = (turn.arm, turn.action)
            failing[key] = failing.get(key, 0) + 1 if repeat.problem else 0
            if repeat.problem:
                self._place.progress.line(f"  failed: {repeat.problem}")
                with interrupts_wait(self._place.progress.line, "the lab is brought back to its steady state"):
                    self._bring_back(experiment)
            if failing[key] >= IN_A_ROW:
                return f"{IN_A_ROW} repeats of {_what(turn)} failed one after the other: {repeat.problem}"
        made = self.run.experiments[-1].repeats
        counted = [one for one in made if one.counts or (experiment.exercise and not one.problem)]
        return "" if counted else "no repeat counts"

    def _turn(self, experiment: Experiment, turn: Turn) -> Repeat:
        begun_s = round(self._hands.clock() - self._began, 3)
        empty = Repeat(experiment.name, turn.side, turn.number, begun_s, {}, turn.action, factors=dict(turn.factors))
        try:
            seen = experiment.measure(self._place, turn)
            common = self._hands.conditions(self._place, seen.replica or self._place.along(turn.arm))
            return _repeat(empty, seen, common)
        except FAILURES as error:
            return replace(empty, problem=_told(error))

    def _keep(self, repeat: Repeat) -> None:
        """Add a repeat with its probe stream, and write the folder."""
        last = self.run.experiments[-1]
        if repeat.stream:
            prober = _streams.fold(self._place.folder, repeat.stream, self._began)
            repeat = replace(repeat, facts={**repeat.facts, "prober": prober})
        grown = replace(last, repeats=(*last.repeats, repeat))
        self.run = replace(self.run, experiments=(*self.run.experiments[:-1], grown))
        self._save()
        if repeat.stream:
            _streams.forget(self._place.folder, repeat.stream)

    def _bring_back(self, experiment: Experiment) -> None:
        try:
            experiment.restore(self._place)
        finally:
            # Whatever an experiment's own restore forgets: nothing is measured in another state than this.
            self._hands.bring_back(self._place)

    def _save(self) -> None:
        self.run = run_folder.save(self.run, self._place.folder)


def name(turn: Turn) -> str:
    """A turn in words: "vm deploy 3", "vm bridged 2", "container warm-up"."""
    return f"{_what(turn)} {turn.number}" if turn.number else f"{_what(turn)} warm-up"


def _what(turn: Turn) -> str:
    return f"{turn.arm} {turn.action}".rstrip()


def stamp() -> str:
    """Now, local time, ISO 8601 with its offset, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _repeat(empty: Repeat, seen: Seen, common: Mapping[str, str | int | float]) -> Repeat:
    repeat = replace(
        empty,
        values=dict(seen.values),
        stages=tuple(seen.stages),
        facts=dict(seen.facts),
        conditions={**common, **seen.conditions},
        stream=seen.stream,
        marks=tuple(seen.marks),
    )
    # A number that JSON does not know spoils its repeat, not the run.
    json.dumps([repeat.values, repeat.facts, repeat.conditions, [stage.s for stage in repeat.stages]], allow_nan=False)
    return repeat


def _told(error: BaseException) -> str:
    return error.problem if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
