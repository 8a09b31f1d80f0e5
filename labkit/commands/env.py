"""./lab env."""

from __future__ import annotations

import click

from labkit import current, pulumi


def run() -> None:
    """Print the environment of plain `pulumi` as sh lines."""
    ready = current.need()
    click.echo(pulumi.exports(pulumi.environment(ready.toolchain, ready.machine.docker_host)))
