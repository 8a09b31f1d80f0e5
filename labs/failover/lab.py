"""The lab *failover*: a VM cluster and a container orchestrator, each with a replica that survives its server."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.lifecycle.running import RunningLab
from labkit.measure.labs import Lab
from labs.failover import breaking, claims, faults, figures, place, split_brain, timers
from labs.failover.sides.cluster import MATCHED


def unsteady(place: RunningLab) -> Iterator[str]:
    """What keeps the clusters from being measured, beyond servers that run and replicas that answer."""
    yield from faults.scattered(place)
    yield from timers.wrong(place)


def bring_back(place: RunningLab) -> None:
    """What an experiment has set is set back; what is still on its way is waited for."""
    split_brain.restore(place)
    breaking.restore(place)
    faults.await_whole(place)


LAB = Lab(
    name="failover",
    question="What happens to a VM and to a container when the server under them dies?",
    experiments=(place.EXPERIMENT, *breaking.EXPERIMENTS, split_brain.EXPERIMENT),
    claims=(*place.CLAIMS, *claims.CLAIMS),
    figures={
        "outages": figures.outages,
        "timers": figures.timers,
        "moved": figures.moved,
        "places": place.places,
    },
    steady=unsteady,
    bring_back=bring_back,
    faults=faults.FAULTS,
    aims={
        "up": 120.0,
        "memory": 4096.0,
        "down": 20.0,
        f"server-killed: vm {MATCHED}: outage_s": 12.0,
        f"server-killed: container {MATCHED}: outage_s": 5.0,
        f"service-killed: vm {MATCHED}: outage_s": 2.0,
        f"service-killed: container {MATCHED}: outage_s": 2.0,
    },
)
