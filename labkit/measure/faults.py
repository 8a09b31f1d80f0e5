"""Faults: what one breaks in a lab, born with what puts it right.

A fault is noted before it is struck. While the note is there the lab is not in its steady state: nothing is measured in
it and no other fault is struck. Who struck it undoes it in `finally`; after a KILL the next `./lab up` does, or
`./lab fault LAB --undo`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from infra import outputs
from labkit.lifecycle.running import RunningLab
from labkit.lifecycle.set_up import Ready
from labkit.measure import clocks
from labkit.sides import reach
from labkit.system.errors import LabError, meant
from labkit.system.files import write_whole
from labkit.system.progress import Progress


@dataclass(frozen=True)
class Target:
    """What a fault hits: enough to undo it, by whoever finds the note."""

    fault: str
    side: str
    servers: tuple[str, ...] = ()
    """Names of the servers that it is about."""

    def __str__(self) -> str:
        """As one reads it: "server-killed on the side vm (server-1)"."""
        servers = f" ({', '.join(self.servers)})" if self.servers else ""
        return f"{self.fault} on the side {self.side}{servers}"

    @property
    def in_force(self) -> str:
        """That it is in force, as a clause that whatever follows from it is added to."""
        return f"The fault {self.fault} is in force on the side {self.side}"


def _nothing(_place: RunningLab, _side: str) -> None:
    """There is nothing to be arranged."""


@dataclass(frozen=True)
class Fault:
    """A way to break one side of a lab."""

    name: str
    what: str
    """What is broken, a sentence."""
    aim: Callable[[RunningLab, str], Sequence[str]]
    """The servers that it hits on a side; only looks."""
    strike: Callable[[RunningLab, Target], float | None]
    """Strikes it; when that was, in seconds since this machine's boot, where it knows it better than its caller."""
    undo: Callable[[RunningLab, Target], None]
    """Puts right whatever is left of it, be it struck in part or not at all. Raises LabError."""
    prepare: Callable[[RunningLab, str], None] = _nothing
    """Brings the side to where the fault can hit what it is about; leaves the lab in its steady state."""
    overcome: bool = True
    """Whether the side is meant to serve again before it is undone."""


@dataclass(frozen=True)
class Struck:
    """A fault in force, and when it was struck, in seconds since this machine's boot: not before, not after."""

    target: Target
    begin_s: float
    end_s: float


def named(faults: Iterable[Fault], name: str, lab: str) -> Fault:
    """The fault of this name. Raises LabError naming those that the lab has."""
    known = {fault.name: fault for fault in faults}
    if name in known:
        return known[name]
    if not known:
        raise LabError(f"The lab {lab} has no faults.", hint="./lab --help")
    raise LabError(
        f"The lab {lab} has no fault {name!r}; there is {', '.join(known)}.",
        hint=meant(name, list(known), f"./lab fault {lab} --list"),
    )


def in_force(ready: Ready, lab: str) -> Target | None:
    """The fault that was noted and not undone yet. Raises LabError where the note is none."""
    try:
        found = json.loads(_note(ready, lab).read_text(encoding="utf-8"))
        return Target(found["fault"], found["side"], tuple(found["servers"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{_note(ready, lab)} was edited: {error}", hint=f"remove it, then ./lab up {lab}") from error


def problems(place: RunningLab) -> Iterable[str]:
    """That a fault is in force, a sentence; nothing where none is."""
    target = in_force(place.ready, place.lab)
    if target:
        yield f"{target.in_force}: ./lab fault {place.lab} --undo"


def strike(place: RunningLab, fault: Fault, side: str) -> Struck:
    """Note a fault and strike it. Raises LabError, before anything is touched, where one is in force already."""
    if found := in_force(place.ready, place.lab):
        raise LabError(
            f"{found.in_force}; one at a time is enough.",
            hint=f"./lab fault {place.lab} --undo",
        )
    target = Target(fault.name, side, tuple(fault.aim(place, side)))
    write_whole(_note(place.ready, place.lab), json.dumps(asdict(target)) + "\n")
    begin_s = clocks.boot_s()
    at_s = fault.strike(place, target)
    return Struck(target, begin_s, clocks.boot_s()) if at_s is None else Struck(target, at_s, at_s)


def undo(place: RunningLab, faults: Iterable[Fault]) -> Target | None:
    """Undo the fault that is in force; it, or None where none is. Raises LabError, and keeps the note, if it stays."""
    target = in_force(place.ready, place.lab)
    if target is not None:
        named(faults, target.fault, place.lab).undo(place, target)
        _note(place.ready, place.lab).unlink(missing_ok=True)
    return target


def note_change(place: RunningLab, what: str) -> None:
    """Note, before it is done, that an experiment changes what only the lab's own `bring_back` sets back."""
    write_whole(_change(place.ready, place.lab), f"{what}\n")


def changed(ready: Ready, lab: str) -> bool:
    """Whether such a change is noted."""
    return _change(ready, lab).exists()


def forget(ready: Ready, lab: str) -> None:
    """Take both notes away: what they were about is gone, or whole."""
    _note(ready, lab).unlink(missing_ok=True)
    _change(ready, lab).unlink(missing_ok=True)


def running(ready: Ready, lab: str, progress: Progress) -> RunningLab | None:
    """The lab as its stack exports it, whatever of it is broken; None where it is not up."""
    try:
        contract = outputs.from_outputs(ready.pulumi.outputs(lab))
    except outputs.ContractError:
        return None
    return RunningLab(lab, ready, contract, progress, lambda server: reach.runner(server.reach))


def _change(ready: Ready, lab: str) -> Path:
    return ready.machine.lab_dir(lab) / "changed"


def _note(ready: Ready, lab: str) -> Path:
    return ready.machine.lab_dir(lab) / "fault.json"
