"""./lab report, in the terminal and as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.measure.labs import Lab
from labkit.runs import run_folder
from labkit.runs.records import Run

_PIPE_COLUMNS = 132


def run(name: str, run_id: str, *, as_json: bool) -> int:
    """Show a run, given by its id or its folder; the newest if none is."""
    lab = labs.load(name)
    folder, found = run_folder.of(name, run_id)
    if as_json:
        from labkit.report import as_json as facts  # noqa: PLC0415 - only where it is asked for

        click.echo(json.dumps(facts.render(found, judge(found, lab.claims), str(folder)), indent=2))
    else:
        show(found, lab, folder)
    return 0


def show(run: Run, lab: Lab, folder: Path) -> None:
    """Print the report of a run."""
    from rich.console import Console  # noqa: PLC0415 - takes a while to load

    from labkit.report import terminal  # noqa: PLC0415 - as above

    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    console.print(terminal.render(run, judge(run, lab.claims), run_folder.shown(folder)))
