"""./lab leftovers."""

from __future__ import annotations

import dataclasses
import json

import click

from labkit.lifecycle import leftovers, set_up, suite
from labkit.lifecycle.leftovers import Findings
from labkit.system import stack_files


def run(lab: str | None, *, as_json: bool) -> int:
    """Name what is left of a lab, or of all; 1 when something of ours is."""
    ready = set_up.need()
    wanted = [lab] if lab else sorted({*stack_files.names(), *leftovers.labs(ready.machine)})
    found, up = [], set()
    for one in wanted:
        if ready.pulumi.at_work(one):
            click.echo(f"A Pulumi is at work on {one}: what it is just making is listed as well.", err=True)
        known = ready.pulumi.ids(one) if ready.pulumi.has_stack(one) else frozenset()
        up |= {one} if known else set()
        found.append(leftovers.look(ready.machine, one, known))
    if as_json:
        click.echo(json.dumps([{**_facts(findings), "up": findings.lab in up} for findings in found], indent=2))
    else:
        for findings in found:
            _show(findings, up=findings.lab in up)
    if killed := suite.is_left():
        click.echo(
            f"A ./lab test was killed; its labs and {suite.PLACE.root} are left. Remove it: ./lab clean", err=True
        )
    return 1 if killed or any(findings.ours for findings in found) else 0


def show_appeared(findings: Findings, *, err: bool = False) -> None:
    """Name what appeared meanwhile; that is nobody's fault and nothing to do."""
    if findings.since is None:
        click.echo(
            f"  No inventory from before {findings.lab} came up: what others made meanwhile cannot be told.",
            err=err,
        )
    elif findings.appeared:
        click.echo(f"  Appeared meanwhile (since {findings.since}), not ours, left alone:", err=err)
        for thing in findings.appeared:
            click.echo(f"    {thing.kind} {thing.name}", err=err)


def _facts(findings: Findings) -> dict[str, object]:
    return {
        "lab": findings.lab,
        "ours": [{**dataclasses.asdict(thing), "removal": thing.removal} for thing in findings.ours],
        "appeared": [{"kind": thing.kind, "name": thing.name} for thing in findings.appeared],
        "inventory": findings.since,
    }


def _show(findings: Findings, *, up: bool) -> None:
    state = "is not down; beside what Pulumi knows of it" if up else "is down;"
    if findings.ours:
        click.echo(f"{findings.lab} {state} of ours is left:")
        for thing in findings.ours:
            click.echo(f"  {click.style('✗', fg='red')} {thing.what}\n      Remove it: {thing.removal}")
        click.echo(f"  All at once{', the lab too' if up else ''}: ./lab down {findings.lab}")
    else:
        click.echo(f"{findings.lab} {state} nothing of ours is left.")
    show_appeared(findings)
