"""The shape of an experiment. A lab's experiments are objects of it; measure.conduct runs them, arms in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.outputs import Replica
from labkit.lifecycle.running import RunningLab
from labkit.runs.records import Arm, Stage


@dataclass(frozen=True)
class Place(RunningLab):
    """Where an experiment works: a lab that is up and in steady state."""

    folder: Path
    """The run's folder. A prober writes STREAM.jsonl there; the conductor adds it to samples.jsonl after the turn."""


@dataclass(frozen=True)
class Turn:
    """One repeat to be made. `number` 0 is the warm-up."""

    side: str
    number: int
    action: str = ""
    factors: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What is chosen beside the side, as in an Arm; what a claim may compare."""

    @property
    def arm(self) -> Arm:
        """Side and factors."""
        return Arm(self.side, self.factors)


@dataclass(frozen=True)
class Seen:
    """What one turn gave; becomes a labkit.runs.records.Repeat."""

    values: Mapping[str, float]
    stages: Sequence[Stage] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, str | int | float] = field(default_factory=dict)
    """What this experiment adds to the conditions that the conductor gathers: start line, finish line, cache."""
    stream: str = ""
    marks: Sequence[str] = ()
    replica: Replica | None = None
    """The replica that was measured, whose conditions count; None for the first of the turn's side."""


@dataclass(frozen=True)
class Experiment:
    """A question, what is done about it, and how it is undone.

    `turns(sides, quick)` lists the repeats in order, of arms of these sides only; `measure` makes one; `restore` brings
    the lab back to its steady state whatever happened, and is called in `finally` after each experiment and when it is
    interrupted.
    """

    name: str
    question: str
    prediction: str
    """What the reader is asked to predict."""
    turns: Callable[[Sequence[str], bool], Sequence[Turn]]
    measure: Callable[[Place, Turn], Seen]
    restore: Callable[[Place], None]
    subject: tuple[str, ...] = ()
    """Conditions that may differ between the arms, as they are what is compared. Factors need not be named."""
    full: Callable[[Sequence[str]], Sequence[Turn]] | None = None
    """The turns of a full run, as `turns` lists those of others; None: the same."""
    only_full: bool = False
    """Whether it is made only in a full run, or where somebody names it."""
    exercise: bool = False
    """Whether it is made only where somebody names it: it shows what goes wrong, and nothing is judged by it."""
    estimate_s: Callable[[Turn], float] | None = None
    """How long a turn takes, about: said before a full run begins."""
    lacks: Callable[[Place, Sequence[Turn]], Sequence[str]] | None = None
    """What this machine has too little of for some of these turns, a sentence each: said before the first begins. Such
    a turn marks its repeat."""


def turns(experiment: Experiment, sides: Sequence[str], *, quick: bool = False, full: bool = False) -> Sequence[Turn]:
    """The turns of an experiment at a depth; normal is neither quick nor full, both is each of a full run's arms at a
    quick run's number of repeats.
    """
    asked = experiment.turns(sides, quick)
    if not (full and experiment.full):
        return asked
    most = max((turn.number for turn in asked), default=0)
    return [turn for turn in experiment.full(sides) if not quick or turn.number <= most]


def take_turns(
    arms: Sequence[Arm | str], repeats: int, *, actions: Sequence[str] = ("",), warm_ups: int = 1
) -> tuple[Turn, ...]:
    """vm, container, vm, … for each action in turn, so that drift of the machine is not the result.

    A side's name stands for its arm without factors.
    """
    every = [Arm(arm) if isinstance(arm, str) else arm for arm in arms]
    numbers = [*([0] * warm_ups), *range(1, repeats + 1)]
    return tuple(
        Turn(arm.side, number, action, arm.factors) for action in actions for number in numbers for arm in every
    )
