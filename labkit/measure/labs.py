"""What a lab measures and which claims it judges; the one place that reaches into labs/."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from labkit.judge.metrics import MetricError, Metrics, unknown
from labkit.judge.model import Claim, Metric
from labkit.measure.experiment import Experiment
from labkit.setup import checks_cpu
from labkit.system.errors import LabError, meant
from labkit.system.stack_files import known, names


@dataclass(frozen=True)
class Lab:
    """What a lab measures and which claims it judges; labs/NAME/lab.py holds one as LAB.

    Raises MetricError where a claim rests on a metric that is not among the lab's.
    """

    name: str
    question: str
    experiments: tuple[Experiment, ...]
    claims: tuple[Claim, ...]
    metrics: Metrics

    def __post_init__(self) -> None:
        if wrong := unknown(self.claims, self.metrics):
            raise MetricError(" ".join(wrong))

    def chosen(self, names: tuple[str, ...]) -> tuple[Experiment, ...]:
        """The experiments of these names in the lab's order, all without names. Raises LabError for an unknown one."""
        known = [experiment.name for experiment in self.experiments]
        for name in names:
            if name not in known:
                raise LabError(
                    f"The lab {self.name} has no experiment {name!r}; there is {', '.join(known)}.",
                    hint=meant(name, known, f"Try: ./lab run {self.name} {known[0]}"),
                )
        return tuple(one for one in self.experiments if not names or one.name in names)


def load(name: str) -> Lab:
    """The lab's experiments and claims, for who runs or judges them. The one place where this tool reaches into labs/.

    Raises LabError, also where the CPU could not judge what is measured.
    """
    module = f"labs.{known(name)}.lab"
    checks_cpu.need()
    try:
        lab: Lab = importlib.import_module(module).LAB
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise LabError(
            f"The lab {name} has no experiments: there is no labs/{name}/lab.py.", hint="git status labs"
        ) from error
    except MetricError as error:
        raise LabError(f"The lab {name} cannot be read: {error}", hint=f"correct labs/{name}") from error
    return lab


def metrics() -> list[tuple[str, Metric]]:
    """Every metric of every lab, with the lab's name."""
    return [(name, metric) for name in names() for metric in load(name).metrics.values()]
