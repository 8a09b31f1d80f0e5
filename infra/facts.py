"""Reads what the settings must know: the stack's configuration and the state of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from infra import engine_client, environment, networks, plan, settings
from infra.machine import Machine

_MEMINFO = Path("/proc/meminfo")
_SBIN = "/usr/sbin:/sbin"
_IP_S = 10


def config() -> dict[str, str]:
    """The stack's configuration, without the project's prefix."""
    prefix = f"{plan.PROJECT}:"
    values = pulumi.runtime.get_config_env()
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def gather(machine: Machine, own_bridges: Mapping[str, str]) -> settings.Facts:
    """Facts of this machine right now. `own_bridges` are the lab's, with the name of the network of each."""
    in_use, own = subnets(machine.docker_host, own_bridges)
    return settings.Facts(
        accelerator=machine.accelerator,
        accelerator_reason=machine.accelerator_reason,
        memory_mib=memory_mib(_MEMINFO.read_text(encoding="utf-8")),
        cpus=os.cpu_count() or 1,
        subnets_in_use=in_use,
        own_subnets=own,
    )


def memory_mib(meminfo: str, field: str = "MemTotal") -> int:
    """Installed memory, or another field of it, in MiB, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    raise ValueError(f"no {field} in /proc/meminfo")


def subnets(docker_host: str, own_bridges: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """IPv4 networks in use on this machine and its engine, with who uses them; those of the lab with these bridges.

    An engine that does not answer adds none: that is told elsewhere.
    """
    engine, own = networks.from_engine(_engine_networks(docker_host), own_bridges)
    routes = networks.from_routes(_ip("route", "show", "table", "all"), without=own_bridges)
    addresses = networks.from_addresses(_ip("address", "show"), without=own_bridges)
    return {**addresses, **routes, **engine}, own


def _engine_networks(docker_host: str) -> list[dict[str, Any]]:
    try:
        with engine_client.connected(docker_host) as client:
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
