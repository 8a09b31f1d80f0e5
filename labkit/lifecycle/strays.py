"""What an experiment that was cut off has left inside a server: ours by its name, and not in Pulumi's state."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from infra.names import OURS
from infra.outputs import Server
from labkit.lifecycle.inside import STRAY, Thing, look
from labkit.lifecycle.missing import Known, known
from labkit.lifecycle.running import RunningLab


def strays(inside: Collection[Thing], known: Collection[Thing]) -> list[Thing]:
    """Pure: what is to be removed, users before what they use."""
    order = list(STRAY)
    found = [thing for thing in inside if thing[0] in STRAY and OURS.fullmatch(thing[1]) and thing not in known]
    return sorted(found, key=lambda thing: (order.index(thing[0]), thing[1]))


def noted(state: Iterable[Known], server: str) -> list[Thing]:
    """Pure: what the state has in a server. A disk may lie in a pool that servers share: it counts in all of them."""
    return [one.thing for one in state if one.server == server or (one.server and one.thing[0] == "disk")]


def find(place: RunningLab) -> list[tuple[Server, Thing]]:
    """What of them is in the lab's servers now."""
    state = known(place.ready.pulumi.resources(place.lab))
    return [
        (server, thing)
        for server in place.contract.servers
        for thing in strays([one.thing for one in look(server.reach)], noted(state, server.name))
    ]


def remove(place: RunningLab) -> list[Thing]:
    """Remove them; what was removed."""
    found = find(place)
    for server, (kind, name) in found:
        place.runner(server)(["sh", "-c", STRAY[kind], "sh", name])
    return [thing for _, thing in found]
