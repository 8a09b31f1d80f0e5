"""For each side a cluster of its own: servers, storage that they share, a network of their own, one stable address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra import plan, sides, subnets
from infra.keys import Asked, Key
from infra.topology import Own, Topology

if TYPE_CHECKING:
    from infra.ground import Ground
    from infra.lab import Blueprint

RESERVE_MIB = 512
"""Memory left to the laptop, edge, registry and power service."""

SERVER_MIB = 300
"""Memory left to the daemons of each server, Corosync's 110 among them."""

LEAST = 3
MOST = plan.MAX_SERVERS // len(sides.NAMES)


def _odd(text: str, _asked: Asked) -> int:
    allowed = [str(number) for number in range(LEAST, MOST + 1, 2)]
    if text not in allowed:
        raise ValueError(f"one of {', '.join(allowed)} is needed: with two, or with halves, nobody is the majority")
    return int(text)


def _servers(own: Own, wanted: Sequence[str]) -> Sequence[int]:
    return [index for side in wanted for index in of(side, own)]


def of(side: str, own: Own) -> range:
    """Indexes of a side's servers."""
    count: int = own["servers_a_side"]
    first = sides.NAMES.index(side) * count
    return range(first, first + count)


def _build(lab: Blueprint) -> Ground:
    from infra import cluster  # noqa: PLC0415 - Pulumi takes a second, and the settings read this module

    return cluster.build(lab, {side: of(side, lab.settings.own) for side in lab.settings.sides})


TOPOLOGY = Topology(
    name="cluster",
    keys=(
        Key(
            "servers_a_side",
            LEAST,
            _odd,
            f"Servers of each side in the topology cluster, {LEAST} or {MOST}, so that one part is the majority.",
        ),
        Key(
            "mgmt_subnet",
            "auto",
            subnets.mgmt,
            "The network on which servers of clusters speak to one another, and nobody else; a private IPv4 network of "
            "24 bits. auto = derived from the checkout and the lab, or the next one that nobody uses.",
        ),
    ),
    servers=_servers,
    reserve_mib=lambda servers: RESERVE_MIB + SERVER_MIB * servers,
    build=_build,
    stacks="infra.stacks.clustered",
    clusters=True,
    most_replicas=1,
)
