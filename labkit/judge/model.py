"""Metrics, claims and judgements as data. Rows are those of the article's table "VMs vs Containers"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from labkit.runs.records import Arm, Repeat, Results, Run

Better = Literal["lower", "higher"]
BoundBy = Literal["bytes", "sharing", "timer", "cpu", "memory"]
Verdict = Literal["holds", "does not hold", "not decidable here", "not comparable", "not measured"]


@dataclass(frozen=True)
class Metric:
    """One value of the repeats of one experiment, and what it means."""

    name: str
    unit: str
    definition: str
    experiment: str
    value: str
    """The name of the value that is read."""
    example: float
    """A number as it comes, for whoever reads the definition."""
    action: str = ""
    """The action whose repeats have it; empty for all of the experiment's."""
    better: Better = "lower"
    exact: bool = False
    """Counted, not timed (bytes): n = 1 is enough and there is no interval."""

    def of(self, repeat: Repeat) -> float | None:
        """The value of this repeat; None where it is not one of these, or does not have it."""
        mine = repeat.experiment == self.experiment and self.action in ("", repeat.action)
        return repeat.values.get(self.value) if mine else None


@dataclass(frozen=True)
class Measured:
    """The claim that the metric of `greater` is at least `effect` times that of `other`; with `below`, that it is not.

    The factors that either arm names are what is compared. Those that neither names, and all conditions, must be equal.
    `effect` (d) is the smallest ratio worth naming, above 1. `heartbeat` marks a time that a periodic timer sets.
    """

    name: str
    row: str
    text: str
    metric: Metric
    greater: Arm
    other: Arm
    effect: float
    bound_by: BoundBy
    because: str
    """The mechanism or default timer that makes the number, in a sentence."""
    heartbeat: bool = False
    reference: str = ""
    """Published figures to stand beside ours, clearly not ours."""
    effect_because: str = ""
    """Why a smaller `effect` is not worth naming: the end of a sentence that begins with "as"."""
    beside: str = ""
    """Why it stands beside its row, whose verdict it does not touch: the end of a sentence that begins with "as"."""
    below: bool = False
    """Whether the claim is that the ratio is below `effect`, so that no difference is worth naming: it holds where it
    would be refuted without this, and the other way round."""

    @property
    def experiment(self) -> str:
        """The experiment on which it rests."""
        return self.metric.experiment

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """The two that it compares, the greater one first."""
        return self.greater, self.other

    def unmade(self, results: Results) -> tuple[Arm, ...]:
        """Those of its arms of which there is no repeat: not every depth makes all, nor has every lab all."""
        return tuple(arm for arm in self.arms if not results.of(arm, self.metric.action))


@dataclass(frozen=True)
class Observation:
    """What was seen: whether the claim's predicate is true, and the facts that show it."""

    true: bool
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """The claim that a predicate over a run's facts is true. `observe` gives None where the facts are missing."""

    name: str
    row: str
    text: str
    experiment: str
    observe: Callable[[Run], Observation | None]
    because: str
    reference: str = ""
    beside: str = ""
    """As of a measured claim."""


Claim = Measured | Observed


def claimed(claim: Measured, verdict: Verdict) -> Verdict:
    """What a verdict on "at least `effect` times" says of what is claimed, and the other way round."""
    opposite: dict[Verdict, Verdict] = {"holds": "does not hold", "does not hold": "holds"}
    return opposite.get(verdict, verdict) if claim.below else verdict


@dataclass(frozen=True)
class Spread:
    """The repeats of one arm that count. With no repeat median, least and most are NaN."""

    arm: Arm
    n: int
    median: float
    least: float
    most: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict with all that it rests on."""

    claim: Claim
    verdict: Verdict
    reason: str
    """Why, in a sentence: `EMULATED CPU`, `n too small`, the differing condition, or what was seen."""
    spreads: tuple[Spread, ...] = ()
    """Of the claim's greater arm and of its other one; empty for an observed claim."""
    ratio: float | None = None
    """Median of `greater` over median of `other`."""
    interval: tuple[float, float] | None = None
    """95 % percentile bootstrap of the ratio; None for exact metrics."""
    n_needed: int | None = None
    """Repeats a side that would decide, where n is too small."""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of the article's table: it holds only if each of its parts does, but for those that stand beside it."""

    name: str
    of_vms: str
    of_containers: str
    verdict: Verdict
    parts: tuple[Judgement, ...]
