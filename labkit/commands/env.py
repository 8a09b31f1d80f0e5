"""./lab env."""

from __future__ import annotations

import click

from labkit.lifecycle import pulumi, set_up


def run() -> None:
    """Print the environment of plain `pulumi` as sh lines."""
    ready = set_up.need()
    click.echo(pulumi.exports(pulumi.environment(ready.toolchain, ready.machine.docker_host)))
