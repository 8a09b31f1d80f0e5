"""The paths by which a request can reach a replica, as rows. Pure: the program, the contract and the tool read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PathKind:
    """One way from the lab's LAN to a replica of one side."""

    name: str
    side: str
    what: str
    """What stands between the server's port and the replica, as a part of a sentence."""


KINDS: Mapping[str, PathKind] = {
    row.name: row
    for row in (
        PathKind("bridged", "vm", "a tap on the server's bridge; its address is one of the LAN"),
        PathKind("nat", "vm", "a tap on a libvirt network, to which the server translates one of its own ports"),
        PathKind("published", "container", "a veth on the engine's bridge, to which the server translates a port"),
        PathKind("address", "container", "a macvlan on the server's bridge; its address is one of the LAN"),
        PathKind("host", "container", "nothing: the container has its server's network"),
    )
}


def of(side: str) -> tuple[str, ...]:
    """The names of a side's paths; the first is the one that a lab has which names none."""
    return tuple(row.name for row in KINDS.values() if row.side == side)
