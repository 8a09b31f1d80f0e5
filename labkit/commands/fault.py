"""./lab fault."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from infra.sides import KINDS
from labkit.lifecycle import in_use, set_up
from labkit.lifecycle.running import RunningLab
from labkit.measure import faults, labs, session
from labkit.measure.labs import Lab
from labkit.system.errors import LabError, meant
from labkit.system.progress import Terminal


def strike(name: str, fault: str, side: str) -> int:
    """Strike a fault on one side of a lab in its steady state, and leave it in force."""
    lab = labs.load(name)
    chosen = faults.named(lab.faults, fault, name)
    progress = Terminal()
    place = _place(lab, progress)
    _side(place, side, fault)
    with in_use.by("fault", name):
        if faults.in_force(place.ready, name) is None:
            with progress.step("The lab is in its steady state"):
                lab.check(place)
                chosen.prepare(place, side)
        struck = faults.strike(place, chosen, side)
    where = f" ({', '.join(struck.target.servers)})" if struck.target.servers else ""
    click.echo(f"Struck on the side {side}{where}: {chosen.what}")
    click.echo(f"  Look:  ./lab status {name}\n  Undo:  ./lab fault {name} --undo")
    return 0


def undo(name: str) -> int:
    """Undo the fault that is in force, and wait until the lab is whole; 0 only if it is."""
    lab = labs.load(name)
    progress = Terminal()
    place = _place(lab, progress)
    with in_use.by("fault", name):
        target = faults.in_force(place.ready, name)
        if target is None:
            click.echo(f"No fault is in force in the lab {name}.")
        with progress.step("The lab comes back to its steady state"):
            lab.to_steady_state(place)
    if target is not None:
        click.echo(f"Undone: {target.fault} on the side {target.side}.")
    return 0


def show(name: str, *, as_json: bool) -> int:
    """Name the lab's faults, and the one that is in force."""
    lab = labs.load(name)
    target = None if set_up.never() else faults.in_force(set_up.need(), name)
    if as_json:
        listed = {fault.name: fault.what for fault in lab.faults}
        click.echo(json.dumps({"faults": listed, "in_force": asdict(target) if target else None}, indent=2))
        return 0
    if not lab.faults:
        click.echo(f"The lab {name} has no faults.")
    for fault in lab.faults:
        click.echo(f"  {fault.name:<16} {fault.what}")
    if target:
        click.echo(f"In force: {target.fault} on the side {target.side}. Undo: ./lab fault {name} --undo")
    return 0


def _place(lab: Lab, progress: Terminal) -> RunningLab:
    place = faults.running(session.ready(then=f"./lab up {lab.name}"), lab.name, progress)
    if place is None:
        raise LabError(f"The lab {lab.name} is not up.", hint=f"./lab up {lab.name}")
    return place


def _side(place: RunningLab, side: str, fault: str) -> None:
    there = [one for one in KINDS if place.contract.side(one)]
    if side not in there:
        given = f"--side {side} is none of" if side else "--side is missing:"
        say = f"./lab fault {place.lab} {fault} --side {there[0]}"
        raise LabError(f"{given} {', '.join(there)}.", hint=meant(side, there, say))
