"""How a lab's servers and clusters stand at one instant, and what has happened between two such looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from infra.outputs import Contract
from labkit.lifecycle import servers, serving
from labkit.lifecycle.servers import RUNNING
from labkit.lifecycle.set_up import Ready
from labkit.measure import edge, faults
from labkit.measure.edge import Switch
from labkit.measure.faults import Target
from labkit.sides import where
from labkit.system.errors import LabError

_END_S = 0.5
"""For a look that is under way when nobody wants it any more."""


@dataclass(frozen=True)
class Look:
    """A lab at one instant, in seconds since 1970. Servers go by the names that the contract gives them."""

    at_s: float
    servers: Mapping[str, str]
    """Server -> what its engine says of it: "running", "exited"."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Role -> the same of what serves them all: edge, power service, registry."""
    sides: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Side -> the servers of its cluster; empty where no server belongs to one."""
    leaders: Mapping[str, str] = field(default_factory=dict)
    """Side -> the server that decides for its cluster; "" where none does."""
    runs_on: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Replica -> the servers in which it runs: none while it moves, more than one where its side is split."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """Replica of a cluster -> its side."""
    fault: Target | None = None
    """The one that is in force."""
    switched: Sequence[Switch] = ()
    """What the edge noted since the look before."""

    @property
    def dead(self) -> list[str]:
        """The servers that do not run."""
        return [name for name, state in self.servers.items() if state != RUNNING]


@dataclass(frozen=True)
class Event:
    """Something that has happened, as a sentence; `about` is a side, or "" for the whole lab."""

    at_s: float
    """In seconds since 1970: when it was seen, which is up to one look later than it was."""
    about: str
    what: str


def look(
    ready: Ready,
    lab: str,
    contract: Contract | None,
    *,
    within_s: float,
    since_s: float | None = None,
) -> Look:
    """Ask engine and clusters, each question for at most so long; the edge for what it noted since then.

    Without a contract only the engine is asked. Raises LabError where the engine does not answer.
    """
    at_s = time.time()
    prefix = servers.prefix(lab)
    own = contract.servers if contract else ()
    sides = {
        side: [one.name for one in own if one.side == side] for side in sorted({one.side for one in own if one.side})
    }
    with servers.engine(ready.machine) as client:
        states = sorted((str(one.name).removeprefix(prefix), str(one.status)) for one in servers.of(client, lab))
        beside = serving.states(client, lab) if sides else {}
        told = [] if since_s is None else edge.told(client, lab, since_s)
    alive = [one for one in own if (one.name, RUNNING) in states]
    moving = [one for one in (contract.replicas if contract else ()) if one.side in sides]
    with ThreadPoolExecutor() as pool:
        leaders = pool.map(lambda side: where.leader(side, alive, within_s=within_s), sides)
        runs = pool.map(lambda replica: where.found(replica, alive, within_s=within_s), moving)
        return Look(
            at_s,
            dict(states),
            beside,
            sides,
            dict(zip(sides, leaders, strict=True)),
            {one.name: [server.name for server, _ in found] for one, found in zip(moving, runs, strict=True)},
            {one.name: one.side for one in moving},
            faults.in_force(ready, lab),
            [one for one in told if one.at_s < at_s],  # what is newer is the next look's
        )


def happened(before: Look, after: Look) -> list[Event]:
    """What has happened between two looks. Pure."""
    found = [Event(one.at_s, one.side, f"the edge takes {one.place} for {one.state}") for one in after.switched]
    side_of = {server: side for side, own in after.sides.items() for server in own}
    news = [
        *(("", what) for what in _of_fault(before.fault, after.fault)),
        *((side_of.get(name, ""), what) for name, what in _of_states(before.servers, after.servers)),
        *(("", f"the {what}") for _, what in _of_states(_words(before.beside), _words(after.beside))),
        *(
            (side, f"{leader or 'no server'} leads{_before(before.leaders[side])}")
            for side, leader in after.leaders.items()
            if before.leaders.get(side, leader) != leader
        ),
        *(
            (after.replicas[name], f"{name} runs in {places(own)}{_before(places(before.runs_on[name]))}")
            for name, own in after.runs_on.items()
            if list(before.runs_on.get(name, own)) != list(own)
        ),
    ]
    return sorted([*found, *(Event(after.at_s, side, what) for side, what in news)], key=lambda one: one.at_s)


def places(servers: Sequence[str]) -> str:
    """Where something runs, in words: two places are a split."""
    return " AND ".join(servers) or "no server"


def _before(what: str) -> str:
    return f", before: {what or 'none'}"


def _of_fault(before: Target | None, after: Target | None) -> Iterator[str]:
    if before != after:
        if before is not None:
            yield f"undone: the fault {before}"
        if after is not None:
            yield f"struck: the fault {after}"


def _words(beside: Mapping[str, str]) -> dict[str, str]:
    return {serving.ROLES[role][0]: state for role, state in beside.items()}


def _of_states(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name, "gone"), after.get(name, "gone")
        if (was == RUNNING) != (now == RUNNING):
            yield name, f"{name} runs again" if now == RUNNING else f"{name} is dead ({now})"


class Followed:
    """A lab that is looked at again and again, by a thread of its own. Whoever reads never waits for a look."""

    def __init__(self) -> None:
        self.last: Look | None = None
        self.problem = ""
        """Why the last look failed; empty if it did not."""
        self.events: list[Event] = []
        """What has happened since the first look; it only grows."""

    def take(self, new: Look) -> None:
        """One more look."""
        if self.last is not None:
            self.events += happened(self.last, new)
        self.last, self.problem = new, ""


@contextmanager
def followed(ask: Callable[[float], Look], pause_s: float) -> Iterator[Followed]:
    """Look again and again while inside, with a pause between two looks.

    `ask` gets the instant of the look before, in seconds since 1970. It raises LabError where it cannot look.
    """
    found, ended = Followed(), threading.Event()

    def follow() -> None:
        since_s = time.time()
        while not ended.is_set():
            try:
                found.take(ask(since_s))
            except LabError as error:
                found.problem = error.problem
            since_s = found.last.at_s if found.last else since_s
            ended.wait(pause_s)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(_END_S)
