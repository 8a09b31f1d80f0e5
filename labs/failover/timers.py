"""Timer profiles: what each side's cluster waits for before it acts. The edge's timers are the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra import edge
from labkit.lifecycle.running import RunningLab
from labkit.measure import faults
from labkit.system.errors import CommandError, LabError
from labkit.system.waiting import until
from labs.failover.clusters import OF
from labs.failover.sides.cluster import DEFAULT

_WITHIN_S = 30.0
_EDGE = ("timeout connect", "timeout check", "retries", "default-server")

_LEAST = {"token_ms": 1000, "heartbeat": 1, "restart_delay": 0}
"""Below these a busy server is taken for a dead one, in ms and in s; an engine refuses still less."""


def refused(timers: Mapping[str, str]) -> list[str]:
    """Which of a profile's timers no cluster should have, a sentence each. Pure."""
    return [
        f"{name} is {value}: at least {_LEAST[name]} is needed, else a busy server is taken for a dead one."
        for name, value in timers.items()
        if int(value.removesuffix("s")) < _LEAST[name]
    ]


def put(place: RunningLab, side: str, profile: str) -> None:
    """Put a profile in force on a side, if it is not. Raises LabError."""
    wanted = OF[side].TIMERS[profile]
    if wrong_ones := refused(wanted):
        raise LabError(
            f"The profile {profile} cannot be had: {' '.join(wrong_ones)}",
            hint=f"correct labs/failover/sides/{side}.py",
        )
    if OF[side].timers(place) == wanted:
        return
    if profile != DEFAULT:
        faults.note_change(place, f"{side}: {profile}")
    place.progress.detail(f"{side}: {profile}")
    OF[side].set_timers(place, place.replica(side), wanted)
    if not until(lambda: OF[side].timers(place) == wanted, _WITHIN_S):
        raise LabError(f"The timers of the side {side} are not those of {profile}.", hint=f"./lab up {place.lab}")


def wrong(place: RunningLab) -> Iterator[str]:
    """Which side has other timers than a lab in its steady state, a sentence each."""
    for side, cluster in OF.items():
        if place.contract.side(side):
            try:
                now = cluster.timers(place)
            except (CommandError, ValueError):
                yield f"The cluster of the side {side} does not say its timers."
            else:
                if now != cluster.TIMERS[DEFAULT]:
                    yield f"The timers of the side {side} are not its default ones: {cluster.waits(now)}."


def conditions(side: str, profile: str) -> dict[str, str]:
    """Of a repeat, for whoever reads its number: what the cluster and the edge wait for."""
    lines = (line.strip() for line in edge.configuration({}).splitlines())
    told = "; ".join(line.removeprefix("default-server ") for line in lines if line.startswith(_EDGE))
    return {"timers": f"{profile}: {OF[side].waits(OF[side].TIMERS[profile])}", "edge_timers": told}
