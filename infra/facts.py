"""Reads what the settings must know: the stack's configuration and the state of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pulumi

from infra import engine_client, environment, networks, plan, settings
from infra.machine import Machine

_MEMINFO = Path("/proc/meminfo")
_SBIN = "/usr/sbin:/sbin"
_IP_S = 10
_ENGINE_S = 8


def config() -> dict[str, str]:
    """The stack's configuration, without the project's prefix."""
    prefix = f"{plan.PROJECT}:"
    values = pulumi.runtime.get_config_env()
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def gather(machine: Machine, own_bridge: str) -> settings.Facts:
    """Facts of this machine right now."""
    in_use, own = subnets(machine.docker_host, own_bridge)
    return settings.Facts(
        accelerator=machine.accelerator,
        accelerator_reason=machine.accelerator_reason,
        memory_mib=memory_mib(_MEMINFO.read_text(encoding="utf-8")),
        cpus=os.cpu_count() or 1,
        subnets_in_use=in_use,
        own_subnet=own,
    )


def memory_mib(meminfo: str, field: str = "MemTotal") -> int:
    """Installed memory, or another field of it, in MiB, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    raise ValueError(f"no {field} in /proc/meminfo")


def subnets(docker_host: str, own_bridge: str) -> tuple[dict[str, str], str]:
    """IPv4 networks in use on this machine and its engine, with who uses them; the network of the lab with this bridge.

    An engine that does not answer adds none: that is told elsewhere.
    """
    engine, own = networks.from_engine(_engine_networks(docker_host), own_bridge=own_bridge)
    routes = networks.from_routes(_ip("route", "show", "table", "all"), without=own_bridge)
    addresses = networks.from_addresses(_ip("address", "show"), without=own_bridge)
    return {**addresses, **routes, **engine}, own


def _engine_networks(docker_host: str) -> list[dict[str, Any]]:
    try:
        with engine_client.connected(docker_host, _ENGINE_S) as client:
            return list(client.api.networks())
    except engine_client.EngineError:
        return []


def _ip(*words: str) -> str:
    program = shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
    if program is None:
        return ""
    asked = [program, "-json", "-4", *words]
    done = subprocess.run(
        asked,
        env=environment.plain(os.environ),
        capture_output=True,
        text=True,
        timeout=_IP_S,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return done.stdout if done.returncode == 0 else ""
