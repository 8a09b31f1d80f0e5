"""Names, labels, addresses and MACs, from (checkout, lab, index). Pure: no I/O, the same answer every time."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.sides import NAMES

PROJECT = "vm-vs-container"
LAB_LABEL = f"{PROJECT}.lab"
CHECKOUT_LABEL = f"{PROJECT}.checkout"
ROLE_LABEL = f"{PROJECT}.role"
"""What an object on the laptop's engine is there for, beside whose it is."""

Role = Literal["server", "edge", "power", "registry", "tool"]
SERVING: tuple[Role, ...] = ("edge", "power", "registry")
"""Roles of what stands beside the servers and must run with them."""

Network = Literal["lan", "mgmt"]
LAN: Network = "lan"
NETWORKS: tuple[Network, ...] = (LAN, "mgmt")
"""Those that a lab can have, whatever its topology: where clients, guests and containers are, and where servers alone
speak to one another. One finds what is left of any of them by its bridge's name and by its ports' MACs."""

PREFIX = "vvc"
MAC_PREFIX = "52:76:63"
"""First half of every MAC that we give: locally administered, unicast, and no other tool's."""

SERVICE_PORT = 8000
"""TCP port of the service, inside every replica."""

REGISTRY_PORT = 5000

_SERVER_HOST = 2
_EDGE_HOST = 12
_REGISTRY_HOST = 13
_VM_HOST = 16
_CONTAINER_HOST = 48
_SERVER_MAC: Mapping[Network, int] = {"lan": 1, "mgmt": 3}
_VM_MAC = 2
_CONTAINER_MAC = 4
CONTAINER_PORT = 8001
"""Published port of the first container replica; the others follow. One above the last is free for a while."""
_NAT_PORT = 8101
_NAT_SSH_PORT = 8201
"""On the server's address, for the first VM that is reached by NAT: its service, its sshd; the others follow."""
MAX_SERVERS = 10
"""Servers of a lab, whatever its topology; one finds what is left of any of them by its name and its MAC."""
MAX_REPLICAS = 32
"""Replicas a side; the addresses and ports below leave room for these."""


@dataclass(frozen=True)
class PlannedNetwork:
    """One network of a lab on the laptop's engine."""

    name: Network
    bridge: str
    """Its bridge on the laptop."""
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The laptop's address."""
        return self.subnet[1]

    @property
    def dynamic_range(self) -> ipaddress.IPv4Network:
        """Part from which the engine may give addresses by itself; ours lie below."""
        return list(self.subnet.subnets(1))[1]


@dataclass(frozen=True)
class PlannedServer:
    """One server of a lab, with its address and its MAC on each of its networks."""

    index: int
    name: str
    addresses: Mapping[Network, ipaddress.IPv4Address]
    macs: Mapping[Network, str]


@dataclass(frozen=True)
class Plan:
    """All that derives from which lab of which checkout this is. `beside` are its networks beside the LAN.

    `nat` is the network that guests have inside their server, where some are reached by NAT.
    """

    checkout: str
    lab: str
    subnet: ipaddress.IPv4Network
    beside: Mapping[Network, ipaddress.IPv4Network] = field(default_factory=dict)
    nat: ipaddress.IPv4Network | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Both labels that every object of the lab carries."""
        return labels(self.checkout, self.lab)

    def name(self, part: str) -> str:
        """Name of one of the lab's objects on the laptop's engine."""
        return object_name(self.checkout, self.lab, part)

    def network(self, name: Network = LAN) -> PlannedNetwork:
        """One of its networks."""
        subnet = self.subnet if name == LAN else self.beside[name]
        return PlannedNetwork(name, bridge_name(self.checkout, self.lab, name), subnet)

    def servers(self, indexes: Iterable[int]) -> tuple[PlannedServer, ...]:
        """Some of its servers, on each of its networks."""
        networks: tuple[Network, ...] = (LAN, *self.beside)
        return tuple(
            PlannedServer(
                index,
                server_name(index),
                {name: self.server_address(index, name) for name in networks},
                {name: self.server_mac(index, name) for name in networks},
            )
            for index in indexes
        )

    def server_address(self, index: int = 0, network: Network = LAN) -> ipaddress.IPv4Address:
        """Address of a server on one of the lab's networks."""
        return self.network(network).subnet[_SERVER_HOST + index]

    def server_mac(self, index: int = 0, network: Network = LAN) -> str:
        """MAC of a server's port in one of the networks that the lab can have."""
        return self._mac(_SERVER_MAC[network], index)

    @property
    def edge_address(self) -> ipaddress.IPv4Address:
        """Address on the LAN of what stands in front of clusters."""
        return self.subnet[_EDGE_HOST]

    @property
    def registry(self) -> str:
        """Where servers push container images to and take them from, as host:port, on the network of their own."""
        return f"{self.network('mgmt').subnet[_REGISTRY_HOST]}:{REGISTRY_PORT}"

    def edge_url(self, side: str) -> str:
        """Where a side answers, wherever its replica runs."""
        return f"http://{self.edge_address}:{SERVICE_PORT + 1 + NAMES.index(side)}"

    def vm_address(self, index: int) -> ipaddress.IPv4Address:
        """Address of a guest on the lab's LAN."""
        return self.subnet[_VM_HOST + index]

    def vm_mac(self, index: int) -> str:
        """MAC of a guest's adapter."""
        return self._mac(_VM_MAC, index)

    def vm_url(self, index: int) -> str:
        """Where the service answers in a guest."""
        return f"http://{self.vm_address(index)}:{SERVICE_PORT}"

    def nat_address(self, index: int) -> ipaddress.IPv4Interface:
        """Address of a guest behind NAT, with its network."""
        if self.nat is None:
            raise ValueError("no path of this lab is nat")
        return ipaddress.IPv4Interface(f"{self.nat[_VM_HOST + index]}/{self.nat.prefixlen}")

    def container_address(self, index: int) -> ipaddress.IPv4Address:
        """Address on the lab's LAN of a container that has one."""
        return self.subnet[_CONTAINER_HOST + index]

    def container_mac(self, index: int) -> str:
        """MAC of a container with an address on the lab's LAN."""
        return self._mac(_CONTAINER_MAC, index)

    def container_port(self, index: int) -> int:
        """Port on the server's address of a container replica: published, or its own where it has its network."""
        return CONTAINER_PORT + index

    def container_url(self, index: int, server: str) -> str:
        """Where the service answers in a container, by the address of its server."""
        return f"http://{server}:{self.container_port(index)}"

    def _mac(self, kind: int, index: int) -> str:
        lab = _digest(f"{self.checkout}/{self.lab}")[:2]
        return f"{MAC_PREFIX}:{lab}:{kind:02x}:{index:02x}"


def nat_port(index: int) -> int:
    """Port on the server's address that leads to the service of a guest behind NAT."""
    return _NAT_PORT + index


def nat_ssh_port(index: int) -> int:
    """Port on the server's address that leads to the sshd of a guest behind NAT."""
    return _NAT_SSH_PORT + index


def labels(checkout: str, lab: str, role: Role | None = None) -> dict[str, str]:
    """Whose an object is; a container on the laptop's engine says what it is there for, too.

    No volume or network does: what has other labels than it was made with is replaced, and a volume loses its data.
    """
    whose = {LAB_LABEL: lab, CHECKOUT_LABEL: checkout}
    return {**whose, ROLE_LABEL: role} if role else whose


def object_name(checkout: str, lab: str, part: str) -> str:
    """Name of one of a lab's objects on the laptop's engine, e.g. vvc-1a2b3c4d-deployment-lan."""
    return f"{PREFIX}-{checkout}-{lab}-{part}"


def server_name(index: int) -> str:
    """Name of a server in its lab."""
    return f"server-{index + 1}"


def bridge_name(checkout: str, lab: str, network: Network = LAN) -> str:
    """Name of a network's bridge on the laptop: at most 15 bytes, the kernel's limit."""
    return f"{PREFIX}{checkout}{_digest(_of(lab, network))[:3]}"


def default_subnet(checkout: str, lab: str, network: Network | Literal["nat"] = LAN) -> ipaddress.IPv4Network:
    """A network's addresses if none are configured: one /24 of 10.192.0.0/11, spread so that checkouts rarely meet."""
    number = int(_digest(f"{checkout}/{_of(lab, network)}")[:4], 16) % (32 * 256)
    base = int(ipaddress.IPv4Address("10.192.0.0"))
    return ipaddress.IPv4Network((base + number * 256, 24))


def _of(lab: str, network: str) -> str:
    return lab if network == LAN else f"{lab}/{network}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
