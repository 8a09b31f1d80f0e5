"""Names, labels, addresses and MACs, from (checkout, lab, index). Pure: no I/O, the same answer every time."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Literal

PROJECT = "vm-vs-container"
LAB_LABEL = f"{PROJECT}.lab"
CHECKOUT_LABEL = f"{PROJECT}.checkout"
ROLE_LABEL = f"{PROJECT}.role"
"""What an object on the laptop's engine is there for, beside whose it is."""

Role = Literal["server", "edge", "power", "registry", "tool"]
PREFIX = "vvc"
MAC_PREFIX = "52:76:63"
"""First half of every MAC that we give: locally administered, unicast, and no other tool's."""

SERVICE_PORT = 8000
"""TCP port of the service, inside every replica."""

_SERVER_HOST = 2
_VM_HOST = 16
CONTAINER_PORT = 8001
"""Published port of the first container replica; the others follow. One above the last is free for a while."""
MAX_SERVERS = 9
"""Servers of a lab, whatever its topology; one finds what is left of any of them by its name and its MAC."""
MAX_REPLICAS = 32
"""Replicas a side; the addresses and ports below leave room for these."""


@dataclass(frozen=True)
class Plan:
    """All that derives from which lab of which checkout this is."""

    checkout: str
    lab: str
    subnet: ipaddress.IPv4Network

    @property
    def labels(self) -> dict[str, str]:
        """Both labels that every object of the lab carries."""
        return labels(self.checkout, self.lab)

    def name(self, part: str) -> str:
        """Name of one of the lab's objects on the laptop's engine, e.g. vvc-1a2b3c4d-deployment-lan."""
        return f"{PREFIX}-{self.checkout}-{self.lab}-{part}"

    @property
    def bridge(self) -> str:
        """Name of the LAN's bridge on the laptop."""
        return bridge_name(self.checkout, self.lab)

    @property
    def dynamic_range(self) -> ipaddress.IPv4Network:
        """Part of the LAN from which the engine may give addresses by itself; ours lie below."""
        return list(self.subnet.subnets(1))[1]

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The laptop's address on the lab's LAN."""
        return self.subnet[1]

    def server_address(self, index: int = 0) -> ipaddress.IPv4Address:
        """Address of a server on the lab's LAN."""
        return self.subnet[_SERVER_HOST + index]

    def server_mac(self, index: int = 0) -> str:
        """MAC of a server's LAN port."""
        return self._mac(1, index)

    def vm_address(self, index: int) -> ipaddress.IPv4Address:
        """Address of a guest on the lab's LAN."""
        return self.subnet[_VM_HOST + index]

    def vm_mac(self, index: int) -> str:
        """MAC of a guest's adapter."""
        return self._mac(2, index)

    def container_port(self, index: int) -> int:
        """Published port, on the server's address, of a container replica."""
        return CONTAINER_PORT + index

    def _mac(self, kind: int, index: int) -> str:
        lab = _digest(f"{self.checkout}/{self.lab}")[:2]
        return f"{MAC_PREFIX}:{lab}:{kind:02x}:{index:02x}"


def labels(checkout: str, lab: str, role: Role | None = None) -> dict[str, str]:
    """Whose an object is; a container on the laptop's engine says what it is there for, too.

    No volume or network does: what has other labels than it was made with is replaced, and a volume loses its data.
    """
    whose = {LAB_LABEL: lab, CHECKOUT_LABEL: checkout}
    return {**whose, ROLE_LABEL: role} if role else whose


def server_name(index: int) -> str:
    """Name of a server in its lab."""
    return f"server-{index + 1}"


def playbook_name(replica: str) -> str:
    """Name of the resource that configures a replica; its files in the lab's folder begin with it."""
    return f"{replica}-playbook"


def host_key_file(replica: str) -> str:
    """In the lab's folder: the guest's ssh host key, pinned when it was first configured."""
    return f"{playbook_name(replica)}.host_key"


def bridge_name(checkout: str, lab: str) -> str:
    """Name of a lab's bridge on the laptop: at most 15 bytes, the kernel's limit."""
    return f"{PREFIX}{checkout}{_digest(lab)[:3]}"


def default_subnet(checkout: str, lab: str) -> ipaddress.IPv4Network:
    """The lab's LAN when no subnet is configured: one /24 of 10.192.0.0/11, spread so that checkouts rarely meet."""
    number = int(_digest(f"{checkout}/{lab}")[:4], 16) % (32 * 256)
    base = int(ipaddress.IPv4Address("10.192.0.0"))
    return ipaddress.IPv4Network((base + number * 256, 24))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
