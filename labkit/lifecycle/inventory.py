"""What is on the engine and on the machine: read it, note it at the start of `./lab up`, tell ours from others'.

Deciding is pure: `is_ours` and `appeared` take what was read as arguments.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import docker

from infra import plan
from labkit.system.files import write_whole
from labkit.system.paths import STATE

Kind = Literal["container", "network", "volume", "image", "interface"]
_NET = Path("/sys/class/net")
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Thing:
    """One object of the engine, or one network interface of the machine.

    `id` tells it from another one of the same name; `mac` and `bridge` (that it is a port of) are an interface's.
    """

    kind: Kind
    name: str
    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mac: str = ""
    bridge: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by in a note."""
        return (self.kind, self.id)


@dataclass(frozen=True)
class Mine:
    """How one knows what belongs to these labs of one checkout."""

    checkout: str
    labs: frozenset[str]
    bridges: frozenset[str]
    macs: frozenset[str]

    @classmethod
    def of(cls, checkout: str, labs: Collection[str]) -> Mine:
        """From the plan alone."""
        plans = [plan.Plan(checkout, lab, plan.default_subnet(checkout, lab)) for lab in labs]
        ports = itertools.product(plans, range(plan.MAX_SERVERS), plan.NETWORKS)
        servers = {one.server_mac(index, network) for one, index, network in ports}
        guests = {one.vm_mac(index) for one in plans for index in range(plan.MAX_REPLICAS)}
        # A tap has its guest's MAC with another first byte: so libvirt makes it.
        taps = {f"fe{mac[2:]}" for mac in guests}
        bridges = frozenset(plan.bridge_name(checkout, lab, network) for lab in labs for network in plan.NETWORKS)
        return cls(checkout, frozenset(labs), bridges, frozenset(servers | guests | taps))


@dataclass(frozen=True)
class Note:
    """What was there when it was taken. `taken` is local time, in words."""

    taken: str
    keys: frozenset[tuple[str, str]]


def is_ours(thing: Thing, mine: Mine) -> bool:
    """Pure: on the engine both labels must match; an interface has our bridge's name or one of our MACs."""
    if thing.kind == "interface":
        return thing.name in mine.bridges or thing.mac in mine.macs
    if thing.kind == "image":
        return False
    return thing.labels.get(plan.CHECKOUT_LABEL) == mine.checkout and thing.labels.get(plan.LAB_LABEL) in mine.labs


def appeared(now: Iterable[Thing], before: Note, mine: Mine) -> list[Thing]:
    """Pure: what was not there before and is not ours, nor a port of a bridge of ours, nor an image of this project."""
    return [
        thing
        for thing in now
        if thing.key not in before.keys
        and not is_ours(thing, mine)
        and thing.bridge not in mine.bridges
        and not (thing.kind == "image" and thing.name.startswith(f"{plan.PROJECT}/"))
    ]


def read(client: docker.DockerClient) -> list[Thing]:
    """Everything that is there now; changes nothing."""
    return [*_engine(client), *_interfaces()]


def _engine(client: docker.DockerClient) -> list[Thing]:
    found = [
        Thing("container", one["Names"][0].removeprefix("/") if one["Names"] else one["Id"], one["Id"], _labels(one))
        for one in client.api.containers(all=True)
    ]
    found += [Thing("network", one["Name"], one["Id"], _labels(one)) for one in client.api.networks()]
    found += [
        Thing("volume", one["Name"], f"{one['Name']} {one.get('CreatedAt', '')}", _labels(one))
        for one in client.api.volumes()["Volumes"] or []
    ]
    found += [
        Thing("image", (one["RepoTags"] or [one["Id"]])[0], one["Id"], _labels(one)) for one in client.api.images()
    ]
    return found


def _labels(answer: Mapping[str, Mapping[str, str] | None]) -> Mapping[str, str]:
    return answer.get("Labels") or {}


def _interfaces() -> list[Thing]:
    found = []
    for folder in sorted(_NET.iterdir()):
        # An interface may go while it is read, as those of containers do.
        with suppress(OSError):
            mac = (folder / "address").read_text(encoding="utf-8").strip()
            master = folder / "master"
            bridge = master.readlink().name if master.is_symlink() else ""
            found.append(Thing("interface", folder.name, folder.name, mac=mac, bridge=bridge))
    return found


def file(lab: str) -> Path:
    """Where the note of a lab lies."""
    return STATE / lab / "inventory.json"


def note(lab: str, things: Iterable[Thing]) -> None:
    """Keep what is there now, whole or not at all."""
    target = file(lab)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = sorted(thing.key for thing in things)
    taken = time.strftime("%Y-%m-%d %H:%M:%S")
    document = {"schema_version": _SCHEMA_VERSION, "taken": taken, "things": keys}
    write_whole(target, json.dumps(document, indent=1) + "\n")


def noted(lab: str) -> Note | None:
    """The note of the lab's latest `up` from nothing; None where there is none that can be read."""
    try:
        found = json.loads(file(lab).read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION:
            return None
        return Note(found["taken"], frozenset((kind, id_) for kind, id_ in found["things"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
