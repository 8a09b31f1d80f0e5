"""Configuration -> frozen settings. Pure; reports all problems at once, each with value, rule and next step."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from infra import networks, plan

Side = Literal["vm", "container"]
Accelerator = Literal["kvm", "tcg"]
SIDES: tuple[Side, ...] = ("vm", "container")
TOPOLOGIES = ("single",)

DEFAULTS = {
    "topology": "single",
    "servers": "1",
    "sides": "vm,container",
    "replicas": "1",
    "vcpus": "1",
    "memory_mib": "512",
    "disk_gib": "2",
    "accelerator": "auto",
    "service_version": "1",
    "subnet": "auto",
}
"""Every configuration key with its default, as in Pulumi.yaml (a test holds them against each other)."""

GUEST_MEMORY_MIN_MIB = 256
"""Least RAM of a guest: it boots with 160 (images/guest/README.md); the rest is for Ansible and the service's work."""

SERVER_RESERVE_MIB = 768
"""Memory left to the laptop and to the server's own daemons when guests and containers have taken theirs."""

FURTHER_SERVER_MIB = 256
"""Memory left beside that to the daemons of each further server."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}")
_MAX_VCPUS = 64
_MAX_DISK_GIB = 64
_MAX_SERVERS = 2
"""Of topology single: the one that carries the lab, and an empty one to move replicas to."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

T = TypeVar("T")


class SettingsError(Exception):
    """The configuration cannot be used; `problems` are all of its problems, one sentence or two each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _WithNextStepError(ValueError):
    """A value that cannot be used, said with the next step."""


@dataclass(frozen=True)
class Facts:
    """What the settings must know of the machine; taken as an argument, so that they stay pure."""

    accelerator: Accelerator
    accelerator_reason: str
    memory_mib: int
    cpus: int
    subnets_in_use: Mapping[str, str]
    """Network in CIDR form -> who uses it (an interface, a Docker network). The lab's own are left out."""
    own_subnet: str = ""
    """The network that this lab has on the engine now; "" where it is not up."""


@dataclass(frozen=True)
class Settings:
    """What a lab is made of. Memory in MiB, disk in GiB."""

    lab: str
    topology: str
    servers: int
    sides: tuple[Side, ...]
    replicas: int
    vcpus: int
    memory_mib: int
    disk_gib: int
    accelerator: Accelerator
    service_version: str
    subnet: ipaddress.IPv4Network


def parse(lab: str, config: Mapping[str, str], facts: Facts, checkout: str) -> Settings:
    """Settings of one lab, from its configuration without the project's prefix.

    Raises SettingsError with every problem found.
    """
    problems: list[str] = []
    values = {**DEFAULTS, **config}

    def read(key: str, reader: Callable[[str], T], fallback: T) -> T:
        try:
            return reader(values[key])
        except _WithNextStepError as error:
            problems.append(f"{key} is {values[key]!r}: {error}")
        except ValueError as error:
            problems.append(f"{key} is {values[key]!r}: {error}. {_set(lab, key)}")
        return fallback

    problems.extend(_unknown(lab, key) for key in config if key not in DEFAULTS)
    settings = Settings(
        lab=lab,
        topology=read("topology", _one_of(TOPOLOGIES), "single"),
        servers=read("servers", _whole(1, _MAX_SERVERS), 1),
        sides=read("sides", _sides, SIDES),
        replicas=read("replicas", _whole(1, plan.MAX_REPLICAS), 1),
        vcpus=read("vcpus", _whole(1, min(_MAX_VCPUS, facts.cpus)), 1),
        memory_mib=read("memory_mib", _whole(GUEST_MEMORY_MIN_MIB, 1024 * 1024), GUEST_MEMORY_MIN_MIB),
        disk_gib=read("disk_gib", _whole(2, _MAX_DISK_GIB), 2),
        accelerator=read("accelerator", _accelerator(facts), facts.accelerator),
        service_version=read("service_version", _version, "1"),
        subnet=read("subnet", _subnet(facts, checkout, lab), plan.default_subnet(checkout, lab)),
    )
    need_mib = settings.memory_mib * settings.replicas * len(settings.sides)
    free_mib = facts.memory_mib - SERVER_RESERVE_MIB - FURTHER_SERVER_MIB * (settings.servers - 1)
    several = settings.servers > 1
    beside = f" beside {settings.servers} servers" if several else ""
    fewer = ", replicas or servers" if several else " or replicas"
    if not problems and need_mib > free_mib:
        problems.append(
            f"memory_mib is {settings.memory_mib} for {settings.replicas} replicas on {len(settings.sides)} sides, "
            f"{need_mib} MiB in all: this machine has {facts.memory_mib} MiB, of which {max(free_mib, 0)} can be "
            f"given away{beside}. Lower memory_mib{fewer}: pulumi config set memory_mib N -s {lab}"
        )
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _set(lab: str, key: str) -> str:
    return f"Change it: pulumi config set {key} VALUE -s {lab}"


def _unknown(lab: str, key: str) -> str:
    known = ", ".join(DEFAULTS)
    return f"{key!r} is no configuration key; there are {known}. Remove it: pulumi config rm {key} -s {lab}"


def _whole(least: int, most: int) -> Callable[[str], int]:
    def reader(text: str) -> int:
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most} is needed")
        return int(text)

    return reader


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def reader(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)} is needed")
        return text

    return reader


def _sides(text: str) -> tuple[Side, ...]:
    words = [word.strip() for word in text.split(",")]
    if not words or set(words) - set(SIDES) or len(words) != len(set(words)):
        raise ValueError("one of vm,container - vm - container is needed")
    return tuple(side for side in SIDES if side in words)


def _accelerator(facts: Facts) -> Callable[[str], Accelerator]:
    def reader(text: str) -> Accelerator:
        if text == "auto":
            return facts.accelerator
        if text == "tcg":
            return "tcg"
        if text != "kvm":
            raise ValueError("one of auto, kvm, tcg is needed")
        if facts.accelerator != "kvm":
            raise ValueError(f"KVM does not work on this machine ({facts.accelerator_reason}); use auto or tcg")
        return "kvm"

    return reader


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError("up to 32 letters, digits, dots and dashes are needed, the first a letter or a digit")
    return text


def _subnet(facts: Facts, checkout: str, lab: str) -> Callable[[str], ipaddress.IPv4Network]:
    spare = networks.choose(checkout, lab, facts.subnets_in_use)
    own = _lan(facts.own_subnet)

    def reader(text: str) -> ipaddress.IPv4Network:
        wanted = own or spare if text == "auto" else _lan(text)
        if wanted is not None and wanted in (own, spare):
            return wanted  # a lab that is up stays where it is, whoever has come since
        if spare is None:
            raise _WithNextStepError(
                f"{networks.why_none_is_free(facts.subnets_in_use)}. End what takes so much, such as a VPN, or let it "
                f"take less; then: pulumi config set subnet auto -s {lab}"
            )
        change = f"Change it: pulumi config set subnet {spare} -s {lab}"
        if wanted is None:
            raise _WithNextStepError(f"a private IPv4 network of 24 bits such as {spare} is needed. {change}")
        for other, user in networks.overlaps(wanted, facts.subnets_in_use):
            raise _WithNextStepError(f"{wanted} overlaps {other}, which {user} uses; choose another. {change}")
        return wanted

    return reader


def _lan(text: str) -> ipaddress.IPv4Network | None:
    """The network that a text names, if a lab may have it."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    private = any(network.subnet_of(block) for block in networks.PRIVATE)
    return network if private and network.prefixlen == networks.LAN_BITS else None
