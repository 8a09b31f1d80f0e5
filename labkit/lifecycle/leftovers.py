"""What of a lab is still on this machine and should not be: each thing with the command that removes it.

Ours are objects on the engine with both labels, interfaces with our bridge's name or our MACs, processes, mounts and
folders of this checkout. All else is somebody's: it may be named, never touched.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra import plan
from infra.machine import socket_dirs
from labkit.lifecycle import inside, inventory, noted, orphans, programs, servers
from labkit.lifecycle.inventory import Mine, Thing
from labkit.lifecycle.servers import OnEngine
from labkit.setup.docker.client import connected
from labkit.setup.docker.engine import DEFAULT_HOST
from labkit.system import shell
from labkit.system.paths import CHECKOUT_ID, STATE, runtime
from labkit.system.processes import alive
from labkit.system.waiting import until

_REMOVAL_S = 60
_END_S = 3.0
_VERBS = {"container": ("rm", "-f", "-v"), "network": ("network", "rm"), "volume": ("volume", "rm", "-f")}
_FIRST = ("process", *_VERBS)
"""These go first: with them go interfaces, and files are no longer in use."""

_IN_THE_WAY = ("process", "container", "network")


@dataclass(frozen=True)
class Leftover:
    """One thing that is ours and should not be there. `command` removes it."""

    kind: str
    name: str
    command: tuple[str, ...]

    @property
    def what(self) -> str:
        """It, in words."""
        return f"{self.kind} {self.name}"

    @property
    def removal(self) -> str:
        """The command as one can paste it into a shell."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class Findings:
    """What is left of a lab, and what appeared beside it since the note of `since` (None: there is no note)."""

    lab: str
    ours: tuple[Leftover, ...]
    appeared: tuple[Thing, ...]
    since: str | None


def look(machine: OnEngine, lab: str, known: Collection[str] = ()) -> Findings:
    """Look, and change nothing. `known` are the ids of what Pulumi's state holds: the lab that is up is not left."""
    things = _read(machine)
    before = inventory.noted(lab)
    every = Mine.of(CHECKOUT_ID, {lab, *_labs(things)})
    return Findings(
        lab,
        (*_ours(machine, lab, things, known), *(_cut_off(machine, lab) if known else ())),
        tuple(inventory.appeared(things, before, every)) if before else (),
        before.taken if before else None,
    )


def _cut_off(machine: OnEngine, lab: str) -> list[Leftover]:
    """What an experiment that was cut off has left in the lab's servers and replicas, or has taken away there."""
    with connected(machine.docker_host) as client:
        running = [str(server.name) for server in servers.of(client, lab) if server.status == servers.RUNNING]
    reaches = [servers.reach(machine, name) for name in running]
    return [
        *(
            Leftover("experiment in", f"{reach.container}: {what}", tuple(reach.words([inside.UNDO])))
            for reach in reaches
            for what in inside.undo(reach, look=True)
        ),
        *(Leftover("experiment in", f"{one.replica}: {one.what}", one.end) for one in noted.left(STATE / lab)),
    ]


def find(machine: OnEngine, lab: str, known: Collection[str] = ()) -> list[Leftover]:
    """All that is left of one lab of this checkout."""
    return _ours(machine, lab, _read(machine), known)


def labs(machine: OnEngine) -> set[str]:
    """Labs of this checkout that have objects on the engine, be their stack file gone."""
    return _labs(_read(machine))


def remove(machine: OnEngine, lab: str, known: Collection[str] = ()) -> list[str]:
    """Remove what Pulumi cannot know of: what a killed `up` made before it could note it, folders of sockets.

    What is `known` to Pulumi's state stays. No Pulumi may be at work on the lab. What was removed, in words; what could
    not be is found again by `find`.
    """
    removed: list[str] = []
    for first in (True, False):
        for thing in find(machine, lab, known):
            if (thing.kind in _FIRST) == first and _run(thing):
                removed.append(thing.what)
    if known:
        return removed
    with suppress(OSError):  # another lab's sockets are in it, or it is not there
        runtime().rmdir()
    for pattern in ("*.host_key", "*.known_hosts", noted.FILES):
        for file in (STATE / lab).glob(pattern):
            file.unlink()
    return removed


def clear_way(machine: OnEngine, lab: str, known: Collection[str]) -> list[str]:
    """Remove what holds a name that `up` needs and Pulumi's state does not have, as after a kill; what, in words.

    Volumes stay: `up` takes them over with what is on them. No Pulumi may be at work on the lab.
    """
    found = [thing for thing in find(machine, lab, known) if thing.kind in _IN_THE_WAY]
    return [thing.what for thing in found if _run(thing)]


def on_engine(host: str, things: Iterable[Thing], mine: Mine) -> list[Leftover]:
    """Pure: those things on the engine at `host` that are `mine`, in the order in which they can be removed."""
    docker_words = ("docker",) if host == DEFAULT_HOST else ("docker", "--host", host)
    found = [thing for thing in things if thing.kind in _VERBS and inventory.is_ours(thing, mine)]
    return [
        Leftover(kind, thing.name, (*docker_words, *verb, thing.name))
        for kind, verb in _VERBS.items()
        for thing in found
        if thing.kind == kind
    ]


def noted_as(thing: Thing) -> str:
    """Pure: what Pulumi's state has as the id of a thing on the engine, another one of its name has another."""
    return thing.name if thing.kind == "volume" else thing.id


def _ours(machine: OnEngine, lab: str, things: list[Thing], known: Collection[str]) -> list[Leftover]:
    mine = Mine.of(CHECKOUT_ID, [lab])
    there = {thing.name for thing in things if thing.kind in _VERBS}
    found = [
        Leftover("process", f"{one.pid} ({programs.name(one)})", (*_sudo(), "kill", f"{one.pid}"))
        for one in orphans.left(lab, there)
    ]
    found += on_engine(machine.docker_host, (thing for thing in things if noted_as(thing) not in known), mine)
    up = bool(known)
    for thing in things:
        if thing.kind == "interface" and inventory.is_ours(thing, mine) and not (up and thing.name in mine.bridges):
            found.append(Leftover("interface", thing.name, (*_sudo(), "ip", "link", "del", thing.name)))
    found += [Leftover("mount", point, (*_sudo(), "umount", "-l", point)) for point in orphans.mounts()]
    if not up:
        for folder in socket_dirs(runtime(), lab):
            found.append(Leftover("folder", str(folder), (*_sudo(folder), "rm", "-r", str(folder))))
    return found


def _read(machine: OnEngine) -> list[Thing]:
    with connected(machine.docker_host) as client:
        return inventory.read(client)


def _labs(things: Iterable[Thing]) -> set[str]:
    labels = [thing.labels for thing in things if thing.labels.get(plan.CHECKOUT_LABEL) == CHECKOUT_ID]
    return {label[plan.LAB_LABEL] for label in labels if plan.LAB_LABEL in label}


def _sudo(folder: Path | None = None) -> tuple[str, ...]:
    own = os.geteuid() in (0, folder.stat().st_uid if folder else 0)
    return () if own else ("sudo",)


def _run(thing: Leftover) -> bool:
    done = shell.run(thing.command, timeout_s=_REMOVAL_S, check=False)
    if thing.kind != "process":
        return done.ok
    pid = int(thing.command[-1])
    if not until(lambda: not alive(pid), _END_S):
        shell.run([*thing.command[:-1], "-KILL", str(pid)], timeout_s=_REMOVAL_S, check=False)
    return until(lambda: not alive(pid), _END_S)
