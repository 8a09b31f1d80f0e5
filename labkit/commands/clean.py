"""./lab clean."""

from __future__ import annotations

import sys

import click

from infra import checkout as known_checkouts
from labkit.lifecycle import clean, set_up, suite
from labkit.lifecycle.pulumi import Pulumi
from labkit.setup.docker import engine
from labkit.setup.docker.engine import Engine
from labkit.setup.tools import toolchain
from labkit.system.errors import LabError
from labkit.system.progress import Terminal


def run(*, cache: bool, engine_too: bool, everywhere: bool, yes: bool) -> int:
    """Remove what is ours, then what was asked for beside; 1 when something stayed."""
    set_up.refuse_copy()
    progress = Terminal()
    found = engine.connect()
    suite.clean(found, progress)
    stayed = 0
    if found is None:
        click.echo("No Docker Engine answers: no lab can be up. To look into a private one: ./lab setup")
    else:
        stayed += _own(found, progress)
        if everywhere:
            stayed += _everywhere(found, progress, yes=yes)
    if cache:
        clean.cache(found, progress)
    if engine_too:
        clean.private_engine(progress)
    if not stayed:
        click.echo("Clean.")
    return 1 if stayed else 0


def _own(found: Engine, progress: Terminal) -> int:
    tools = toolchain.find()
    pulumi = Pulumi(tools, found.host) if tools else None
    stayed = 0
    for name in clean.own_labs(found):
        for thing in clean.lab(name, found, pulumi, progress):
            stayed += 1
            click.echo(f"  still there: {thing.what}. Remove it: {thing.removal}", err=True)
    return stayed


def _everywhere(found: Engine, progress: Terminal, *, yes: bool) -> int:
    foreign = clean.elsewhere(found)
    if not foreign:
        click.echo("No other checkout has a lab on this engine.")
    places = known_checkouts.places()
    for checkout, things in foreign.items():
        where = f" (last at work in {places[checkout]})" if checkout in places else ""
        click.echo(f"Checkout {checkout}{where} has:")
        for thing in things:
            click.echo(f"  {thing.what}")
    if foreign and not yes and not sys.stdin.isatty():
        raise LabError("Other checkouts' labs are removed only when asked for.", hint="add --yes, or use a terminal")
    stayed = 0
    for checkout, things in foreign.items():
        if yes or click.confirm(f"Remove the labs of checkout {checkout}, data included?", default=False, err=True):
            for problem in clean.remove_elsewhere(checkout, things, progress):
                stayed += 1
                click.echo(f"  still there: {problem}", err=True)
    return stayed
