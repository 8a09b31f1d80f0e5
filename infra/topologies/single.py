"""One server that carries all sides, on the lab's LAN; and, where it is wanted, an empty one to move replicas to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra import paths, subnets
from infra.keys import Asked, Key, whole
from infra.topology import Own, Topology

if TYPE_CHECKING:
    from infra.ground import Ground
    from infra.lab import Blueprint

SERVER_RESERVE_MIB = 768
"""Memory left to the laptop and to the server's own daemons."""

FURTHER_SERVER_MIB = 256
"""Memory left beside that to the daemons of each further server."""

_MAX_SERVERS = 2


def _servers(own: Own, _sides: Sequence[str]) -> Sequence[int]:
    return range(own["servers"])


def _reserve_mib(servers: int) -> int:
    return SERVER_RESERVE_MIB + FURTHER_SERVER_MIB * (servers - 1)


def _some_paths(text: str, _asked: Asked) -> tuple[str, ...]:
    return paths.chosen(text)


def _build(lab: Blueprint) -> Ground:
    from infra import ground, server  # noqa: PLC0415 - Pulumi takes a second, and the settings read this module

    host, sockets = ground.laptop(lab), ground.sockets(lab)
    networks = ground.networks(lab, host)
    planned = lab.plan.servers(lab.settings.servers)
    servers = [server.Server(one, networks=networks, lab=lab, host=host, sockets=sockets) for one in planned]
    for one in servers:
        one.declare_providers()
    return ground.Ground(servers, dict.fromkeys(lab.settings.sides, servers[:1]))


TOPOLOGY = Topology(
    name="single",
    keys=(
        Key(
            "servers",
            1,
            whole(1, _MAX_SERVERS),
            "Servers of the topology single, 1 or 2. Both sides stand on the first; the second is empty, "
            "a place to move replicas to.",
        ),
        Key(
            "paths",
            paths.DEFAULT,
            _some_paths,
            f"Ways by which requests reach the replicas. Some of {', '.join(paths.KINDS)}, or {paths.ALL}. A lab has "
            "replicas of each; those of a side that it has not are left out, and a side without one gets its first.",
        ),
        Key(
            "nat_subnet",
            "auto",
            subnets.nat,
            "The network inside the server of VMs that are reached by NAT, a private IPv4 network of 24 bits. auto = "
            "derived from the checkout and the lab, or the next one that nobody uses.",
        ),
    ),
    servers=_servers,
    reserve_mib=_reserve_mib,
    build=_build,
)
