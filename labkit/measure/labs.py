"""A lab: one question, one folder. The one place that reaches into labs/."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from labkit.judge.model import Claim, Measured, Metric, Row
from labkit.lifecycle import steady
from labkit.lifecycle.running import RunningLab
from labkit.lifecycle.set_up import Ready
from labkit.measure import faults
from labkit.measure.experiment import Experiment
from labkit.measure.faults import Fault
from labkit.runs.records import Run
from labkit.setup import checks_cpu
from labkit.setup.checks import Check
from labkit.system.errors import LabError, meant
from labkit.system.progress import Progress
from labkit.system.stack_files import known, names


@dataclass(frozen=True)
class Picture:
    """What a lab draws of a run: a title, and an SVG that says in its aria-label what it shows.

    Its colours are the variables of the page's style (var(--ink), var(--muted), …), its width is a phone's.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Table:
    """What a lab shows of a run in its own way: a title, the words above the columns, and the lines, all as text."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]
    pictures: Sequence[Picture] = ()
    """Of the same, above it on a page."""
    mermaid: str = ""
    """Of the same, below it in a guide; there is no table in a guide where there are no lines."""


Figure = Callable[[Run, Sequence[Row]], Table]
"""Makes a table of a run and its judged rows; without lines where the run has nothing of it. Pure."""

Bench = Callable[[Ready, Progress, int], Mapping[str, Any]]
"""Measures, on a machine that is set up and with the lab down before and after, so many times; gives what its JSON file
holds: `schema_version`, `machine`, `repeats` and `figures`."""


def _nothing_more(_place: RunningLab) -> Iterable[str]:
    return ()


def _nothing_to_do(_place: RunningLab) -> None:
    """Nothing beyond the replicas has to come back."""


@dataclass(frozen=True)
class Lab:
    """All that is a lab's own; labs/NAME/lab.py holds one as LAB. What has a default need not be said."""

    name: str
    question: str
    experiments: tuple[Experiment, ...]
    claims: tuple[Claim, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Name -> table, for the block `<!-- run:NAME -->` of its guide, and for the pages of its runs."""
    needs: tuple[Callable[[], Check], ...] = ()
    """What `./lab doctor` looks at for this lab, beyond what every lab needs of a machine."""
    steady: Callable[[RunningLab], Iterable[str]] = _nothing_more
    """What is not as it must be before anything is measured, a sentence each, beyond servers and replicas."""
    bring_back: Callable[[RunningLab], None] = _nothing_to_do
    """Makes right what `steady` names, once servers and replicas are back. Raises LabError."""
    faults: tuple[Fault, ...] = ()
    """What `./lab fault LAB` strikes and undoes."""
    benches: Mapping[str, Bench] = field(default_factory=dict)
    """Name -> what `./lab bench NAME LAB` measures, into labs/LAB/bench/NAME.json."""
    aims: Mapping[str, float] = field(default_factory=dict)
    """Figure of `./lab bench LAB` -> what it is to be at most: `up`, `memory` (MiB), `quick run`, `down`, and
    `EXPERIMENT: ARM: VALUE` of repeats, which are then made under that arm."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the claims rest on, in their order."""
        return tuple(dict.fromkeys(claim.metric for claim in self.claims if isinstance(claim, Measured)))

    def chosen(self, names: tuple[str, ...], *, full: bool = False) -> tuple[Experiment, ...]:
        """The experiments of these names in the lab's order. Raises LabError for an unknown one.

        Without names all but exercises, and in a run that is not full without those that only a full one makes.
        """
        known = [experiment.name for experiment in self.experiments]
        for name in names:
            if name not in known:
                raise LabError(
                    f"The lab {self.name} has no experiment {name!r}; there is {', '.join(known)}.",
                    hint=meant(name, known, f"Try: ./lab run {self.name} {known[0]}"),
                )
        every = tuple(one for one in self.experiments if not one.exercise and (full or not one.only_full))
        return tuple(one for one in self.experiments if one.name in names) if names else every

    def check(self, place: RunningLab) -> None:
        """Raise LabError naming all that keeps the lab from being measured, its own part of it included."""
        steady.check(place, self._more)

    def to_steady_state(self, place: RunningLab) -> None:
        """Make the lab steady again after whatever was done to it. Raises LabError when that does not help."""
        faults.undo(place, self.faults)
        steady.bring_back(place)
        if list(self.steady(place)):
            self.bring_back(place)
            self.check(place)

    def _more(self, place: RunningLab) -> Iterable[str]:
        yield from faults.problems(place)
        yield from self.steady(place)


def load(name: str) -> Lab:
    """The lab's experiments and claims, for who runs or judges them. The one place where this tool reaches into labs/.

    Raises LabError, also where the CPU could not judge what is measured.
    """
    known(name)
    checks_cpu.need()
    module = part(name, "lab")
    if module is None:
        raise LabError(f"The lab {name} has no experiments: there is no labs/{name}/lab.py.", hint="git status labs")
    lab: Lab = module.LAB
    if lab.name != name:
        raise LabError(f"The lab in labs/{name} calls itself {lab.name!r}.", hint=f"correct labs/{name}/lab.py")
    return lab


def part(name: str, part: str) -> ModuleType | None:
    """A module of a lab's folder; None where there is none."""
    module = f"labs.{name}.{part}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return None


def metrics() -> list[tuple[str, Metric]]:
    """Every metric of every lab, with the lab's name."""
    return [(name, metric) for name in names() for metric in load(name).metrics]
