"""How a container hangs on a network, along each of its side's paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra import labels, names
from infra.lab import Blueprint
from infra.plan import SERVICE_PORT, Plan
from infra.server import BRIDGE, Server

Networks = Mapping[str, docker.Network]
"""Path -> the engine's network that it needs."""


def declared(parent: pulumi.Resource, index: int, server: Server, lab: Blueprint, paths: tuple[str, ...]) -> Networks:
    """The networks in one server that these paths need."""
    inside = server.inside(parent, server.docker)
    own = labels.network(lab.plan)
    found = {}
    if "published" in paths:
        found["published"] = docker.Network(
            names.on(server.name, "container-network", index),
            name=names.NETWORK,
            driver="bridge",
            labels=own,
            opts=inside,
        )
    if "address" in paths:
        lan = lab.plan.network()
        found["address"] = docker.Network(
            names.on(server.name, "container-lan", index),
            name=names.LAN_NETWORK,
            driver="macvlan",
            options={"parent": BRIDGE},
            ipam_configs=[docker.NetworkIpamConfigArgs(subnet=str(lan.subnet), gateway=str(lan.gateway))],
            labels=own,
            opts=inside,
        )
    return found


@dataclass(frozen=True)
class Attached:
    """A container on its network. `network` are arguments of docker.Container, `envs` what the service must know."""

    path: str
    network: Mapping[str, Any]
    envs: Sequence[str] = ()


def attached(path: str, index: int, plan: Plan, networks: Networks) -> Attached:
    """A container that is reached along a path."""
    return _ATTACHED[path](path, index, plan, networks)


def _published(path: str, index: int, plan: Plan, networks: Networks) -> Attached:
    port = docker.ContainerPortArgs(internal=SERVICE_PORT, external=plan.container_port(index))
    network = docker.ContainerNetworksAdvancedArgs(name=networks[path].name)
    return Attached(path, {"networks_advanced": [network], "ports": [port]})


def _address(path: str, index: int, plan: Plan, networks: Networks) -> Attached:
    network = docker.ContainerNetworksAdvancedArgs(
        name=networks[path].name,
        ipv4_address=str(plan.container_address(index)),
        mac_address=plan.container_mac(index),
    )
    return Attached(path, {"networks_advanced": [network]})


def _host(path: str, index: int, plan: Plan, _networks: Networks) -> Attached:
    return Attached(path, {"network_mode": "host"}, [f"VVC_PORT={plan.container_port(index)}"])


_ATTACHED: Mapping[str, Callable[[str, int, Plan, Networks], Attached]] = {
    "published": _published,
    "address": _address,
    "host": _host,
}
