"""Configuration -> frozen settings. Pure; reports all problems at once, each with value, rule and next step."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra import paths, plan, sides, subnets
from infra.keys import Accelerator, Asked, Facts, Key, WithNextStepError, whole
from infra.topologies import TOPOLOGIES
from infra.topology import Own, Topology

__all__ = [
    "ALL",
    "DEFAULTS",
    "Accelerator",
    "Facts",
    "Settings",
    "SettingsError",
    "keys",
    "parse",
    "servers",
    "topology_of",
]

GUEST_MEMORY_MIN_MIB = 256
"""Least RAM of a guest: it boots with 160 (images/guest/README.md); the rest is for Ansible and the service's work."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}")
_MAX_VCPUS = 64
_MAX_DISK_GIB = 64


class SettingsError(Exception):
    """The configuration cannot be used; `problems` are all of its problems, one sentence or two each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What a lab is made of. Memory in MiB, disk in GiB. `own` are the values of its topology's own keys."""

    lab: str
    topology: str
    own: Own
    sides: tuple[str, ...]
    replicas: int
    vcpus: int
    memory_mib: int
    disk_gib: int
    accelerator: Accelerator
    service_version: str
    subnet: ipaddress.IPv4Network

    @property
    def servers(self) -> tuple[int, ...]:
        """The indexes of its servers."""
        return tuple(TOPOLOGIES[self.topology].servers(self.own, self.sides))

    @property
    def beside(self) -> Mapping[plan.Network, ipaddress.IPv4Network]:
        """Its networks beside the LAN."""
        return {"mgmt": self.own["mgmt_subnet"]} if "mgmt_subnet" in self.own else {}

    def along(self, side: str) -> tuple[str, ...]:
        """The path of each of a side's replicas: as many of each of its paths as configured, in turn."""
        own = paths.along(self.own.get("paths", ()), side)
        return own * self.replicas


def parse(lab: str, config: Mapping[str, str], facts: Facts, checkout: str) -> Settings:
    """Settings of one lab, from its configuration without the project's prefix.

    Raises SettingsError with every problem found.
    """
    topology, asked = topology_of(config), Asked(lab, checkout, facts, config)
    rows = keys(topology)
    known = [key.name for key in rows]
    problems = [_unknown(lab, name, known) for name in config if name not in known and not _is_default(name, config)]
    values: dict[str, Any] = {}
    for key in rows:
        text = str(config.get(key.name, key.default))
        try:
            values[key.name] = key.reader(text, asked)
        except WithNextStepError as error:
            problems.append(f"{key.name} is {text!r}: {error}")
        except ValueError as error:
            problems.append(f"{key.name} is {text!r}: {error}. {_set(lab, key.name)}")
    if not problems:
        own = {key.name: values.pop(key.name) for key in topology.keys}
        settings = Settings(lab=lab, own=own, **values)
        problems += _too_many(settings) + _too_much(settings, topology, facts.memory_mib)
        if not problems:
            return settings
    raise SettingsError(tuple(problems))


def servers(config: Mapping[str, object]) -> list[str]:
    """Names of the servers that a lab is to have by its configuration.

    Where that cannot be used, all that it may have: what is wrong with it is told elsewhere.
    """
    topology = topology_of(config)
    try:
        own = {key.name: key.reader(str(config.get(key.name, key.default)), _NOBODY) for key in topology.keys}
        indexes = topology.servers(own, _some_sides(str(config.get("sides", ",".join(sides.NAMES))), _NOBODY))
    except ValueError:
        indexes = range(plan.MAX_SERVERS)
    return [plan.server_name(index) for index in indexes]


def keys(topology: Topology) -> tuple[Key, ...]:
    """The keys of a lab of this topology: which one it is, what that brings, and what all labs have."""
    which, *rest = COMMON
    return (which, *topology.keys, *rest)


def topology_of(config: Mapping[str, object]) -> Topology:
    """The topology that a configuration names; the default one where it names none that there is."""
    return TOPOLOGIES.get(str(config.get("topology", _TOPOLOGY)), TOPOLOGIES[_TOPOLOGY])


def _too_many(settings: Settings) -> list[str]:
    """That a side would have more replicas, along all its paths, than there are addresses for; empty if not."""
    most = max(settings.sides, key=lambda side: len(settings.along(side)))
    count, allowed = len(settings.along(most)), TOPOLOGIES[settings.topology].most_replicas
    if count <= allowed:
        return []
    along = (
        f" for each of {count // settings.replicas} paths, {count} {most}s in all" if "paths" in settings.own else ""
    )
    return [
        f"replicas is {settings.replicas}{along}: a side of the topology {settings.topology} has {allowed} at most. "
        f"Lower replicas{' or paths' * bool(along)}: "
        f"pulumi config set replicas N -s {settings.lab}"
    ]


def _too_much(settings: Settings, topology: Topology, memory_mib: int) -> list[str]:
    """That replicas, sides and servers together want more memory than there is; empty if they do not."""
    count = sum(len(settings.along(side)) for side in settings.sides)
    need_mib = settings.memory_mib * count
    free_mib = memory_mib - topology.reserve_mib(len(settings.servers))
    several = len(settings.servers) > 1
    beside = f" beside {len(settings.servers)} servers" if several else ""
    each = len(settings.sides) * settings.replicas
    along = f" along {count // settings.replicas} paths" if count != each else ""
    alone = topology.most_replicas == 1
    less = [
        "memory_mib",
        *["replicas"] * (not alone),
        *["paths"] * bool(along),
        *["servers"] * (several and "servers" in settings.own),
    ]
    if need_mib <= free_mib:
        return []
    others = ", ".join(less[:-1])
    one = f", or bring up one side: pulumi config set sides {settings.sides[0]} -s {settings.lab}"
    return [
        f"memory_mib is {settings.memory_mib} for {settings.replicas} replicas on {len(settings.sides)} sides{along}, "
        f"{need_mib} MiB in all: this machine has {memory_mib} MiB, of which {max(free_mib, 0)} can be "
        f"given away{beside}{f'; {need_mib + memory_mib - free_mib} are needed' * alone}. "
        f"Lower {others}{' or ' * bool(others)}{less[-1]}: "
        f"pulumi config set memory_mib N -s {settings.lab}{one * (alone and len(settings.sides) > 1)}"
    ]


def _set(lab: str, key: str) -> str:
    return f"Change it: pulumi config set {key} VALUE -s {lab}"


def _is_default(key: str, config: Mapping[str, str]) -> bool:
    """Whether it is one that Pulumi hands over in any lab, as Pulumi.yaml has it."""
    return key in ALL and str(config[key]) == DEFAULTS[key]


def _unknown(lab: str, key: str, known: list[str]) -> str:
    there = ", ".join(known)
    of = "is a key of another topology" if key in ALL else "is no configuration key"
    return f"{key!r} {of}; there are {there}. Remove it: pulumi config rm {key} -s {lab}"


def _a_topology(text: str, _asked: Asked) -> str:
    if text not in TOPOLOGIES:
        raise ValueError(f"one of {', '.join(TOPOLOGIES)} is needed")
    return text


_SIDES = " - ".join((",".join(sides.NAMES), *sides.NAMES))


def _some_sides(text: str, _asked: Asked) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",")]
    if not words or set(words) - set(sides.NAMES) or len(words) != len(set(words)):
        raise ValueError(f"one of {_SIDES} is needed")
    return tuple(side for side in sides.NAMES if side in words)


def _accelerator(text: str, asked: Asked) -> Accelerator:
    if text == "auto":
        return asked.facts.accelerator
    if text == "tcg":
        return "tcg"
    if text != "kvm":
        raise ValueError("one of auto, kvm, tcg is needed")
    if asked.facts.accelerator != "kvm":
        raise ValueError(f"KVM does not work on this machine ({asked.facts.accelerator_reason}); use auto or tcg")
    return "kvm"


def _version(text: str, _asked: Asked) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError("up to 32 letters, digits, dots and dashes are needed, the first a letter or a digit")
    return text


_TOPOLOGY = "single"
COMMON = (
    Key(
        "topology",
        _TOPOLOGY,
        _a_topology,
        "Which servers, networks and storage the lab needs. single = one server that carries both sides. cluster = for "
        "each side a cluster of servers of its own.",
    ),
    Key("sides", "vm,container", _some_sides, f"Which sides to bring up. One of {_SIDES}."),
    Key("replicas", 1, whole(1, plan.MAX_REPLICAS), f"Copies of the service on each side, 1 to {plan.MAX_REPLICAS}."),
    Key(
        "vcpus",
        1,
        whole(1, lambda asked: min(_MAX_VCPUS, asked.facts.cpus)),
        "Virtual CPUs of each VM, and the CPU limit of each container.",
    ),
    Key(
        "memory_mib",
        512,
        whole(GUEST_MEMORY_MIN_MIB, 1024 * 1024),
        f"RAM of each VM and memory limit of each container, in MiB. At least {GUEST_MEMORY_MIN_MIB}.",
    ),
    Key(
        "disk_gib",
        2,
        whole(2, _MAX_DISK_GIB),
        f"Size of each VM's disk, in GiB, 2 to {_MAX_DISK_GIB}. A change makes the disks anew.",
    ),
    Key(
        "accelerator",
        "auto",
        _accelerator,
        "How QEMU runs guest code. auto = kvm where a boot has proved that it works, else tcg.",
    ),
    Key(
        "service_version",
        "1",
        _version,
        "Version of the service on both sides; a word of letters, digits, dots and dashes.",
    ),
    Key(
        "subnet",
        "auto",
        subnets.lan,
        "The lab's LAN, a private IPv4 network of 24 bits such as 10.200.7.0/24. auto = derived from the checkout and "
        "the lab, or the next one that nobody uses; a lab that is up keeps its own.",
    ),
)
"""The keys that every lab has. They stand in Pulumi.yaml as these rows say them, with those of all topologies."""

ALL = {key.name: key for topology in TOPOLOGIES.values() for key in keys(topology)}
"""Every key of any topology, by its name."""

DEFAULTS = {name: str(key.default) for name, key in ALL.items()}
"""Every configuration key with its default."""

_NOBODY = Asked("", "", Facts("tcg", "", 0, 1, {}))
