"""What a lab's sides stand on: networks and servers, as a topology has declared them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra import labels, names, outputs
from infra.lab import Blueprint
from infra.plan import LAN, Network
from infra.server import Server
from infra.sockets import Sockets


@dataclass(frozen=True)
class Ground:
    """All servers, and which of them carry which side; and the one address of each side that has such."""

    servers: Sequence[Server]
    carrying: Mapping[str, Sequence[Server]]
    edges: Sequence[outputs.Edge] = ()


def laptop(lab: Blueprint) -> docker.Provider:
    """The provider of the laptop's engine."""
    return docker.Provider(names.HOST, host=lab.machine.docker_host)


def sockets(lab: Blueprint) -> Sockets:
    """What all that has sockets depends on."""
    return Sockets(names.SOCKETS, lab=lab.plan.lab, machine=lab.machine)


def networks(lab: Blueprint, host: docker.Provider) -> dict[Network, docker.Network]:
    """The lab's networks, as planned."""
    return {name: _network(lab, host, name) for name in (LAN, *lab.plan.beside)}


def _network(lab: Blueprint, host: docker.Provider, name: Network) -> docker.Network:
    planned = lab.plan.network(name)
    return docker.Network(
        name,
        name=lab.plan.name(name),
        driver="bridge",
        internal=True if name == "mgmt" else None,
        options={"com.docker.network.bridge.name": planned.bridge},
        ipam_configs=[
            docker.NetworkIpamConfigArgs(
                subnet=str(planned.subnet), gateway=str(planned.gateway), ip_range=str(planned.dynamic_range)
            )
        ],
        labels=labels.network(lab.plan),
        opts=pulumi.ResourceOptions(provider=host),
    )
