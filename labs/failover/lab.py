"""The lab *failover*: its question, and where the parts of its answer are."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.lifecycle.running import RunningLab
from labkit.measure.labs import Lab
from labs.failover import breaking, claims, faults, look, timers


def unsteady(place: RunningLab) -> Iterator[str]:
    """What keeps the clusters from being measured, beyond servers that run and replicas that answer."""
    yield from faults.unwhole(place)
    yield from timers.wrong(place)


def bring_back(place: RunningLab) -> None:
    """What an experiment has set is set back; what is still on its way is waited for."""
    breaking.restore(place)
    faults.await_whole(place)


LAB = Lab(
    name="failover",
    question="A server dies: who serves again, where, after how long, and with what?",
    experiments=(look.EXPERIMENT, *breaking.EXPERIMENTS),
    claims=(*look.CLAIMS, *claims.CLAIMS),
    figures={"kernels": look.kernels},
    steady=unsteady,
    bring_back=bring_back,
    faults=faults.FAULTS,
)
