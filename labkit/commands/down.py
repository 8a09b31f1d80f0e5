"""./lab down."""

from __future__ import annotations

import click

from labkit.commands.leftovers import show_appeared
from labkit.lifecycle import heal, in_use, leftovers, set_up
from labkit.lifecycle.pulumi import DESTROY
from labkit.lifecycle.set_up import Ready
from labkit.lifecycle.state import has_resources
from labkit.measure import faults
from labkit.setup.docker import engine
from labkit.system.errors import LabError
from labkit.system.progress import Terminal


def run(lab: str) -> int:
    """`pulumi destroy`, then look that nothing of the lab is left; what is left is removed and named."""
    ready = set_up.need(then=f"./lab setup, then look what is there: ./lab leftovers {lab}")
    with in_use.by("down", lab):
        return _down(lab, ready, Terminal())


def _down(lab: str, ready: Ready, progress: Terminal) -> int:
    engine.ensure(progress)
    heal.before_down(ready, lab, progress, lambda what: click.echo(f"  removed: {what}"))
    click.echo(f"$ pulumi {' '.join(DESTROY)} -s {lab}", err=True)
    with progress.alive("pulumi destroy"):
        status = ready.pulumi.show([*DESTROY, "-s", lab])
    if status != 0:
        hint = f"what it says above; then see what is left: ./lab leftovers {lab}"
        raise LabError(f"pulumi destroy failed (exit status {status}).", hint=hint)
    if has_resources(lab):  # Pulumi says 0 of a destroy that somebody stopped between two steps
        raise LabError(
            "pulumi destroy was stopped before its end.",
            hint=f"it was told to end; go on when nothing stops it any more: ./lab leftovers {lab}",
        )
    for removed in leftovers.remove(ready.machine, lab):
        click.echo(f"  removed as well: {removed}")
    faults.forget(ready, lab)
    findings = leftovers.look(ready.machine, lab)
    for thing in findings.ours:
        click.echo(f"  still there: {thing.what}. Remove it: {thing.removal}", err=True)
    if findings.since is not None:
        show_appeared(findings, err=True)
    if findings.ours:
        return 1
    click.echo(f"Lab {lab} is down; nothing of it is left in the engine, in its folders or on the network.")
    return 0
