"""./lab report, in the terminal and as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.measure.labs import Lab
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.system.errors import LabError

if TYPE_CHECKING:
    from rich.console import RenderableType

_PIPE_COLUMNS = 132


@dataclass(frozen=True)
class Asked:
    """What is to be shown: a lab's run, by id or folder, or with no lab the table over all of them; and how."""

    lab: str | None
    run: str
    html: Path | None
    compare: tuple[str, str] | None
    merge: Path | None
    as_json: bool
    readme: bool


def dispatch(asked: Asked) -> int:
    """Show what is asked for. Raises LabError for what does not go together."""
    from labkit.commands import report_article as over_all  # noqa: PLC0415 - only what is asked for
    from labkit.commands import report_html as pages  # noqa: PLC0415 - as above

    _check(asked)
    file = None if asked.html is None or str(asked.html) == ":auto:" else asked.html
    if asked.compare:
        return pages.compare(asked.lab, *asked.compare, file)
    if asked.merge:
        return pages.merge(asked.lab, asked.merge, file)
    if asked.readme:
        return over_all.readme()
    if asked.lab is None:
        return pages.article(file) if asked.html else over_all.show(as_json=asked.as_json)
    return pages.one(asked.lab, asked.run, file) if asked.html else run(asked.lab, asked.run, as_json=asked.as_json)


def _check(asked: Asked) -> None:
    ways = {"json": asked.as_json, "compare": asked.compare, "merge": asked.merge, "readme": asked.readme}
    chosen = [f"--{name}" for name, value in ways.items() if value]
    lonely = set(chosen) & {"--json", "--readme"}
    if len(chosen) > 1 or (lonely and asked.html) or (asked.run and chosen not in ([], ["--json"])):
        given = [*chosen, *(["--html"] if asked.html else []), *([f"run {asked.run}"] if asked.run else [])]
        raise LabError(f"These do not go together: {', '.join(given)}", hint="./lab report --help")
    if asked.readme and asked.lab:
        raise LabError("--readme is about all labs.", hint="./lab report --readme")


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
    from labkit.report import terminal  # noqa: PLC0415 - takes a while to load

    put(terminal.render(run, judge(run, lab.claims), run_folder.shown(folder)))


def put(shown: RenderableType) -> None:
    """Print it, as wide as the terminal is; into a pipe as wide as tables need."""
    from rich.console import Console  # noqa: PLC0415 - as above

    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(shown)
