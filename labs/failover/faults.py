"""The faults of this lab: what is broken, and what puts it right. What differs by side is in its sides/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labkit.lifecycle import servers
from labkit.lifecycle.running import RunningLab
from labkit.measure.faults import Fault, Target
from labkit.sides import where
from labkit.system.errors import LabError
from labkit.system.waiting import until
from labs.failover.clusters import OF
from labs.failover.sides import cluster
from labs.failover.sides.cluster import CUT

WHOLE_WITHIN_S = 240.0
"""From the undo until servers, clusters and replicas are as they were; a cut swarm runs its old task on for 36 s."""
_PAUSE_S = 0.5
_PART = "/usr/local/lib/vvc/part 1"
"""The server's own program: it succeeds where the server does its part in its cluster."""


def _its_server(place: RunningLab, side: str) -> Sequence[str]:
    return [place.replica(side).server]


def _others(place: RunningLab, side: str) -> Sequence[str]:
    (here,) = _its_server(place, side)
    return [one.name for one in cluster.of(place, side) if one.name != here]


def _follows(place: RunningLab, side: str) -> None:
    OF[side].lead(place, place.replica(side), leads=False)


def _leads(place: RunningLab, side: str) -> None:
    OF[side].lead(place, place.replica(side), leads=True)


def _kill_service(place: RunningLab, target: Target) -> float:
    return OF[target.side].kill_service(place, place.replica(target.side))


def _kill_replica(place: RunningLab, target: Target) -> None:
    now = place.replica(target.side)
    place.side(now).kill(now, place.run(now))


def _kill_servers(place: RunningLab, target: Target) -> None:
    own = [one.container for one in cluster.of(place, target.side) if one.name in target.servers]
    servers.kill(place.ready.machine, own)


def _cut(place: RunningLab, target: Target) -> float:
    return min(
        cluster.stamped(place.runner(server), CUT)
        for server in cluster.of(place, target.side)
        if server.name in target.servers
    )


def _drain(place: RunningLab, target: Target) -> float:
    other = next(one for one in cluster.of(place, target.side) if one.name not in target.servers)
    return cluster.stamped(place.runner(other), OF[target.side].DRAIN, *target.servers)


def mend(place: RunningLab, target: Target) -> None:
    """All of the side's servers run, are joined and take part again. Raises LabError where that does not help."""
    servers.start(place.ready.machine, place.lab, place.progress)
    cluster.ask(place, cluster.of(place, target.side), OF[target.side].MEND, within_s=cluster.SETTLED_WITHIN_S)


def scattered(place: RunningLab) -> Iterator[str]:
    """Which replica does not run in just one server, a sentence each."""
    for replica in place.contract.replicas:
        places = [server.name for server, _ in where.found(replica, place.contract.servers, place.runner)]
        if len(places) != 1:
            yield f"{replica.name} runs in {' and '.join(places) or 'no server'}."


def unwhole(place: RunningLab) -> Iterator[str]:
    """What is not as it was before any fault, a sentence each."""
    for side in OF:
        own = cluster.of(place, side)
        well = {server.name for server, _ in cluster.ask(place, own, _PART)}
        yield from (f"{one.name} does not do its part in its cluster." for one in own if one.name not in well)
    yield from scattered(place)


def await_whole(place: RunningLab) -> None:
    """Wait until nothing is left of a fault that was undone. Raises LabError naming what is."""
    found: list[str] = []

    def whole() -> bool:
        found[:] = unwhole(place)
        return not found

    if not until(whole, WHOLE_WITHIN_S, _PAUSE_S):
        raise LabError(
            f"After {WHOLE_WITHIN_S:.0f} s something is left of the fault:\n  " + "\n  ".join(found),
            hint=f"./lab up {place.lab}",
        )


SERVICE_KILLED = Fault(
    "service-killed",
    "KILL to the service's process; the guest, or the container's server, lives on.",
    _its_server,
    _kill_service,
    mend,
)
REPLICA_KILLED = Fault(
    "replica-killed",
    "The VM's power is cut, the container's processes get KILL; the server lives on.",
    _its_server,
    _kill_replica,
    mend,
)
SERVER_KILLED = Fault(
    "server-killed",
    "The power of the replica's server is cut, while another server decides for the cluster.",
    _its_server,
    _kill_servers,
    mend,
    prepare=_follows,
)
LEADER_KILLED = Fault(
    "leader-killed",
    "The power of the replica's server is cut, which decides for the cluster (its coordinator, its leader).",
    _its_server,
    _kill_servers,
    mend,
    prepare=_leads,
)
SERVER_CUT = Fault(
    "server-cut",
    "The cables of the replica's server are pulled; what runs in it runs on.",
    _its_server,
    _cut,
    mend,
    prepare=_follows,
)
SERVER_DRAINED = Fault(
    "server-drained",
    "The replica's server is to carry nothing any more: drain, standby; the orderly way.",
    _its_server,
    _drain,
    mend,
)
MAJORITY_KILLED = Fault(
    "majority-killed",
    "The power of the two servers is cut in which the replica does not run.",
    _others,
    _kill_servers,
    mend,
    overcome=False,
)

FAULTS = (
    SERVICE_KILLED,
    REPLICA_KILLED,
    SERVER_KILLED,
    LEADER_KILLED,
    SERVER_CUT,
    SERVER_DRAINED,
    MAJORITY_KILLED,
)
