"""./lab setup."""

from __future__ import annotations

import json

import click

from labkit import setup
from labkit.paths import STATE
from labkit.progress import Terminal

_STEPS = STATE / "setup-steps.json"


def prepare(*, yes: bool, tests: bool = False) -> setup.Ready:
    """Set the machine up, asking at the terminal where something must be installed."""
    report = Terminal()
    ready = setup.ensure(report, yes=yes, confirm=_confirm, tests=tests)
    _note_long_steps(report)
    return ready


def cold_seconds() -> dict[str, float]:
    """Step -> seconds of the latest set-up that had to do it, for steps of 1 s and more."""
    try:
        found: dict[str, float] = json.loads(_STEPS.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _note_long_steps(report: Terminal) -> None:
    long = {text: round(seconds, 1) for text, seconds in report.steps if seconds >= 1}
    if long:
        _STEPS.write_text(json.dumps({**cold_seconds(), **long}, indent=2) + "\n")


def run(*, yes: bool) -> None:
    """Set up and say what there is now."""
    ready = prepare(yes=yes)
    click.echo(f"Pulumi {ready.toolchain.version} ({ready.toolchain.origin}), Docker Engine {ready.engine.version}")
    click.echo(f"Accelerator: {ready.machine.accelerator} ({ready.machine.accelerator_reason})")
    click.echo("Set up. Next: ./lab up deployment")


def _confirm(question: str) -> bool:
    return click.confirm(question, default=True, err=True)
