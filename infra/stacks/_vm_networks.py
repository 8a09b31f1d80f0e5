"""How a guest hangs on a network, and how the laptop reaches it, along each of its side's paths."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_libvirt as libvirt

from infra import names
from infra.lab import Blueprint
from infra.plan import SERVICE_PORT, Plan, nat_port, nat_ssh_port
from infra.server import BRIDGE, Server

_SSH_PORT = 22


@dataclass(frozen=True)
class Attached:
    """A guest on its network. `ssh` is the address and the port at which the laptop reaches its sshd."""

    path: str
    adapter: libvirt.DomainNetworkInterfaceArgs
    address: ipaddress.IPv4Interface
    gateway: ipaddress.IPv4Address
    ssh: tuple[str, int]
    description: str | None = None
    """Of the domain: the ports of its server that lead to it, for libvirt's hook in the server's image."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the playbook must be told beside that."""


def nat(parent: pulumi.Resource, index: int, server: Server, lab: Blueprint) -> libvirt.Network | None:
    """The network behind NAT in one server, if any guest needs it."""
    if lab.plan.nat is None or "nat" not in lab.settings.along("vm"):
        return None
    return libvirt.Network(
        names.on(server.name, "vm-nat", index),
        name=names.NAT_NETWORK,
        mode="nat",
        bridge=names.NAT_BRIDGE,
        addresses=[str(lab.plan.nat)],
        # Ports lead to a guest's address: it is a fixed one.
        dhcp=libvirt.NetworkDhcpArgs(enabled=False),
        autostart=True,
        opts=server.inside(parent, server.libvirt),
    )


def attached(path: str, index: int, server: Server, plan: Plan, network: libvirt.Network | None) -> Attached:
    """A guest that is reached along a path."""
    if path == "nat" and network is not None:
        return _nat(index, server, plan, network)
    return _bridged(index, plan)


def _bridged(index: int, plan: Plan) -> Attached:
    lan = plan.network()
    return Attached(
        "bridged",
        libvirt.DomainNetworkInterfaceArgs(bridge=BRIDGE, mac=plan.vm_mac(index)),
        ipaddress.IPv4Interface(f"{plan.vm_address(index)}/{lan.subnet.prefixlen}"),
        lan.gateway,
        (str(plan.vm_address(index)), _SSH_PORT),
    )


def _nat(index: int, server: Server, plan: Plan, network: libvirt.Network) -> Attached:
    own = plan.nat_address(index)
    ports = {nat_port(index): SERVICE_PORT, nat_ssh_port(index): _SSH_PORT}
    return Attached(
        "nat",
        libvirt.DomainNetworkInterfaceArgs(network_id=network.id, mac=plan.vm_mac(index)),
        own,
        own.network[1],
        (server.address, nat_ssh_port(index)),
        "\n".join(f"port {port} to {own.ip}:{inside}" for port, inside in ports.items()),
        {"service_url": f"http://{server.address}:{nat_port(index)}"},
    )
