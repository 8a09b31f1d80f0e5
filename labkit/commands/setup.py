"""./lab setup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from labkit.lifecycle import servers, set_up
from labkit.lifecycle.set_up import Ready
from labkit.setup import packages
from labkit.setup.offline import class_file
from labkit.system import stack_files
from labkit.system.files import write_whole
from labkit.system.paths import STATE
from labkit.system.progress import Terminal

_STEPS = STATE / "setup-steps.json"


def prepare(*, yes: bool, tests: bool = False, labs: Sequence[str] | None = None) -> Ready:
    """Set the machine up for these labs, all by default, asking at the terminal where something must be installed."""
    progress = Terminal()
    ready = set_up.ensure(progress, yes=yes, confirm=_confirm, tests=tests, labs=labs)
    _note_long_steps(progress)
    return ready


def cold_seconds() -> dict[str, float]:
    """Step -> seconds of the latest set-up that had to do it, for steps of 1 s and more."""
    try:
        found: dict[str, float] = json.loads(_STEPS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _note_long_steps(progress: Terminal) -> None:
    long = {text: round(seconds, 1) for text, seconds in progress.steps if seconds >= 1}
    if long:
        write_whole(_STEPS, json.dumps({**cold_seconds(), **long}, indent=2) + "\n")


def run(*, yes: bool, bring: Path | None = None, export: Path | None = None) -> None:
    """Set up, from a class file if one is given, and say what there is now; write a class file if one is asked for."""
    if bring is not None:
        class_file.bring(bring, Terminal())
    ready = prepare(yes=yes)
    if export is not None:
        _export(ready, export)
        return
    machine = ready.machine
    click.echo(f"Pulumi {ready.toolchain.version} ({ready.toolchain.origin}), Docker Engine {machine.engine_version}")
    click.echo(f"Accelerator: {machine.accelerator} ({machine.accelerator_reason})")
    click.echo(f"Set up. Next: ./lab up {stack_files.example()}")


def _export(ready: Ready, target: Path) -> None:
    with servers.engine(ready.machine) as client:
        manifest = class_file.export(client, target, Terminal())
    click.echo(f"{target}: {target.stat().st_size / 2**20:.0f} MiB, {len(manifest.parts)} parts, for:")
    for name, value in manifest.made_for.items():
        click.echo(f"  {name:<14} {value}")
    click.echo("Not in it: Debian packages. Each machine needs these from its own Debian, where they are missing:")
    names = [one.name for one in packages.needed({packages.ENGINE, packages.BASE})]
    click.echo(f"  apt-get install --no-install-recommends python3 python3-venv {' '.join(names)}")
    click.echo(f"On each machine, in a checkout of the same commit: ./lab setup --import {target.name}")


def _confirm(question: str) -> bool:
    return click.confirm(question, default=True, err=True)
