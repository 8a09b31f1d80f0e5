"""What a measurement leaves behind: the values of a run, as everything that judges and reports reads them. Pure.

All instants are seconds since the run began, on one monotonic clock. Value names carry their unit: `start_s`,
`image_allocated_bytes`, `host_memory_mib`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True)
class Arm:
    """What a turn, a repeat or a claim is about: a side, and the factors chosen for it, such as path, fault or limit.

    A factor's value is read by itself: {"path": "bridged"} makes "VM (bridged)".
    """

    side: str
    factors: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """As one types it: "vm", "vm bridged"."""
        return " ".join((self.side, *self.factors.values()))

    def covers(self, other: Arm) -> bool:
        """Whether what is said of this arm is said of the other: one side, and each factor that this one names."""
        return self.side == other.side and self.factors.items() <= other.factors.items()


@dataclass(frozen=True)
class Stage:
    """A part of a measured time, in seconds, with where it was read and how finely that source can tell."""

    name: str
    s: float
    source: str
    resolution_s: float


@dataclass(frozen=True)
class Repeat:
    """One repeat of one experiment on one arm."""

    experiment: str
    side: str
    number: int
    """1, 2, … within the arm and action; 0 is the warm-up."""
    begun_s: float
    values: Mapping[str, float]
    """Name with its unit -> number."""
    action: str = ""
    """What was done, where an experiment does several things: `deploy`, `start`, `restore`."""
    stages: tuple[Stage, ...] = ()
    """They sum to the total; a rest of more than 5 % is a stage named `unexplained`."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Evidence that is no number: kernel release, list of packages."""
    conditions: Mapping[str, str | int | float] = field(default_factory=dict)
    """What must be equal on both sides for a fair comparison; see labkit.judge._fairness."""
    stream: str = ""
    """Name of the probe stream in samples.jsonl, if there was one."""
    marks: tuple[str, ...] = ()
    """Why this repeat is shown but not averaged, such as a late prober; empty if it counts."""
    problem: str = ""
    """Why there are no values, if the repeat failed."""
    factors: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What was chosen beside the side, as in an Arm."""

    @property
    def arm(self) -> Arm:
        """Side and factors."""
        return Arm(self.side, self.factors)

    @property
    def counts(self) -> bool:
        """It enters medians and verdicts."""
        return self.number > 0 and not self.marks and not self.problem


@dataclass(frozen=True)
class Results:
    """All repeats of one experiment. `subject` names the conditions that may differ, as they are what is compared."""

    name: str
    question: str
    state: State
    seconds: float
    repeats: tuple[Repeat, ...] = ()
    subject: tuple[str, ...] = ()
    problem: str = ""

    def of(self, arm: Arm | str, action: str = "") -> tuple[Repeat, ...]:
        """The repeats that an arm (or all of a side) covers, of one action if given, warm-ups included."""
        asked = Arm(arm) if isinstance(arm, str) else arm
        return tuple(one for one in self.repeats if asked.covers(one.arm) and action in ("", one.action))


@dataclass(frozen=True)
class Run:
    """One run of a lab: machine, settings, predictions and every repeat. What a report is made from."""

    id: str
    lab: str
    started: str
    """Local time, ISO 8601 with its offset."""
    finished: str
    commit: str
    """Git commit of the checkout, with "+" when there were changes; "unknown" outside git."""
    machine: Mapping[str, Any]
    """The machine box, see labkit.measure.machine_box."""
    settings: Mapping[str, Any]
    """The lab's settings, by the names of the configuration keys."""
    experiments: tuple[Results, ...]
    predictions: Mapping[str, str] = field(default_factory=dict)
    """Claim -> what the reader predicted: an arm, `same`, or `yes` and `no`."""
    quick: bool = False
    full: bool = False
    """With `quick` the run's depth; neither is the normal one, both is all there is at fewer repeats."""
    samples: int = 0
    """Lines in samples.jsonl."""

    @property
    def depth(self) -> tuple[str, ...]:
        """The words of `./lab run` that made it so deep: `full`, `quick`."""
        return tuple(word for word, said in (("full", self.full), ("quick", self.quick)) if said)

    @property
    def accelerator(self) -> str:
        """`kvm` or `tcg`."""
        return str(self.settings["accelerator"])

    def experiment(self, name: str) -> Results | None:
        """The experiment of that name, if it ran."""
        return next((one for one in self.experiments if one.name == name), None)
