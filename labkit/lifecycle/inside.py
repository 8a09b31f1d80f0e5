"""What a server of a lab holds of what its sides make there, and how it goes. The sides say which kinds there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from infra.reach import Reach
from labkit.sides import SIDES, reach

_LOOK_S = 120
"""Bound of a script in a server: it takes seconds, and on a machine that does ten things at once half a minute."""
_PART_S = 60
"""Bound of a server's look at its part: a manager of a swarm that knows of no other never answers."""
_OBJECTS = [one for side in SIDES.values() for one in side.OBJECTS]
_LOOK = "\n".join(one.look for one in _OBJECTS)
_LINE = re.compile(r"(?P<kind>\S+) (?P<id>\S+) +(?P<name>.+)")

KINDS = {one.type: one.kind for one in _OBJECTS if one.type}
"""Pulumi's type of what a person can remove by hand -> what he calls it."""

REMOVE = {one.kind: one.remove for one in _OBJECTS if one.remove}
"""Kind -> script that removes what `up` made, in the order in which they can be removed."""

MEND = {one.kind: one.mend for one in _OBJECTS if one.mend}
"""Kind -> script that puts right what no provider knows of."""

STRAY = {one.kind: one.stray for one in _OBJECTS if one.stray}
"""Kind -> script that removes what an experiment left."""

UNDO = "/usr/local/lib/vvc/undo"
"""The server's own program that puts right what an experiment has left there or taken away; --look only says it."""

PART = "/usr/local/lib/vvc/part"
"""Program of a cluster's server that says whether it does its part there."""

FENCE = "/usr/sbin/fence_lab"
"""Program of a cluster's server by which it has others switched off."""

_MADE = {one.kind: one.made for one in _OBJECTS if one.made}

Thing = tuple[str, str]
"""Kind and name of an object: ("domain", "vm-1")."""


class There(NamedTuple):
    """An object that is there. Its id, which is what Pulumi notes of it, tells it from another one of that name."""

    kind: str
    name: str
    id: str

    @property
    def thing(self) -> Thing:
        """What a person calls it."""
        return (self.kind, self.name)

    @property
    def made_by_up(self) -> bool:
        """Whether its name is one that `up` gives: a person's and an experiment's own things have other names."""
        return self.kind in _MADE and _MADE[self.kind].fullmatch(self.name) is not None


def look(server: Reach) -> frozenset[There]:
    """What a server of the lab holds of the kinds that a person can remove by hand."""
    told = run(server, _LOOK)
    found = (_LINE.fullmatch(line.strip()) for line in told.splitlines())
    return frozenset(There(one["kind"], one["name"], one["id"]) for one in found if one)


def remove(server: Reach, one: There) -> None:
    """Remove what `up` made."""
    run(server, REMOVE[one.kind], one.id)


def mend(server: Reach, things: Iterable[Thing]) -> None:
    """Put right what no provider knows of these, where they are there."""
    for kind, name in things:
        if kind in MEND:
            run(server, MEND[kind], name)


def run(server: Reach, script: str, *words: str) -> str:
    """What a script prints in a server. Raises CommandError."""
    return reach.runner(server, hint="./lab doctor")(["sh", "-c", script, "sh", *words], _LOOK_S).output


def does_its_part(server: Reach, tries: int = 40) -> bool:
    """Whether a server is what its cluster's playbook made of it; true of one that is in no cluster.

    One that has just started has to find the others: it is asked so many times, every half second.
    """
    return run(server, f"[ ! -x {PART} ] || timeout {_PART_S} {PART} {tries} || echo no").strip() == ""


def powerless(server: Reach) -> str:
    """Why a server cannot have others switched off, as its fencing agent says; empty where it can, or has no agent."""
    return run(server, f"[ ! -x {FENCE} ] || echo action=monitor | {FENCE} 2>&1 >/dev/null || true").strip()


def undo(server: Reach, *, look: bool = False) -> list[str]:
    """What an experiment has left in a server or taken away there, in words; put right, unless one only looks.

    A server of an earlier version has no such program, nor anything that would need it. Raises CommandError.
    """
    return run(server, f"[ ! -x {UNDO} ] || {UNDO} {'--look' * look}").splitlines()
