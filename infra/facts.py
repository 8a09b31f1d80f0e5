"""Reads what the settings must know: the stack's configuration and the state of this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from pathlib import Path

import pulumi

from infra import plan, settings
from infra.machine import Machine

_ROUTES = Path("/proc/net/route")
_MEMINFO = Path("/proc/meminfo")


def config() -> dict[str, str]:
    """The stack's configuration, without the project's prefix."""
    prefix = f"{plan.PROJECT}:"
    values = pulumi.runtime.get_config_env()
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def gather(machine: Machine, own_bridge: str) -> settings.Facts:
    """Facts of this machine right now."""
    return settings.Facts(
        accelerator=machine.accelerator,
        accelerator_reason=machine.accelerator_reason,
        memory_mib=memory_mib(_MEMINFO.read_text()),
        cpus=os.cpu_count() or 1,
        subnets_in_use=routes(_ROUTES.read_text(), without=own_bridge),
    )


def memory_mib(meminfo: str, field: str = "MemTotal") -> int:
    """Installed memory, or another field of it, in MiB, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    raise ValueError(f"no {field} in /proc/meminfo")


def routes(table: str, *, without: str) -> dict[str, str]:
    """Networks that this machine routes to, from the text of /proc/net/route, but for one interface and the default."""
    found = {}
    for line in table.splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask, *_ = line.split()
        network = ipaddress.IPv4Network((_address(destination), _address(mask)))
        if interface != without and network.prefixlen > 0:
            found[str(network)] = f"interface {interface}"
    return found


def _address(little_endian: str) -> str:
    return socket.inet_ntoa(struct.pack("<L", int(little_endian, 16)))
