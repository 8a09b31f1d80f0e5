"""./lab doctor."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from labkit.lifecycle import bug_report, doctor
from labkit.measure import labs
from labkit.setup import checks_cpu
from labkit.setup.checks import Check
from labkit.system import stack_files
from labkit.system.errors import LabError

BY_ITSELF = Path(":auto:")
"""Stands for --bundle without a file."""


def run(*, as_json: bool, pack: Path | None = None) -> int:
    """Show every check; 1 when one fails that `up` cannot do without. With `pack` write a bundle for a bug report."""
    if pack is not None:
        file = bug_report.pack(None if pack == BY_ITSELF else pack)
        click.echo(json.dumps({"bundle": str(file)}) if as_json else f"Bundle for a bug report: {file}")
        if not as_json:
            click.echo("Keys, secrets and your home directory are left out; look through it before you send it.")
        return 0
    checks = [*doctor.look(), *needs()]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            mark = click.style("✓", fg="green") if check.ok else click.style("✗" if check.needed else "·", fg="yellow")
            click.echo(f"{mark} {check.name:<16} {check.found}")
            if not check.ok:
                click.echo(f"    Next: {check.hint}")
    return 0 if all(check.ok or not check.needed for check in checks) else 1


def needs() -> list[Check]:
    """What each lab needs beyond what all need, with its name before it; nothing where the CPU lets none be read.

    That is a check of its own.
    """
    if not checks_cpu.cpu().ok:
        return []
    found = []
    for name in stack_files.names():
        try:
            checks = [check() for check in labs.load(name).needs]
        except LabError as error:
            checks = [Check("its folder", False, error.problem, error.hint)]
        found += [dataclasses.replace(check, name=f"{name}: {check.name}") for check in checks]
    return found
