"""./lab bench."""

from __future__ import annotations

import json
from typing import Any

import click

from bench import common, measure, tables
from bench.guide import GuideWalk
from bench.recover import Recover
from bench.up import Up
from labkit.commands import _bench_report, guide, setup
from labkit.system.errors import LabError
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Terminal


def run(what: str, repeats: int, *, engine_too: bool, yes: bool) -> int:
    """Measure, write bench/WHAT.json and show it as a table."""
    if engine_too and what != "recover":
        raise LabError(f"--engine is for recover; {what} has no reboot.", hint=f"leave it out: ./lab bench {what}")
    if what == "report":
        return _bench_report.run(repeats)
    ready = setup.prepare(yes=yes)
    if what == "measure":
        _write(what, measure.run(ready, Terminal(), repeats))
        return 0
    if what == "up":
        result = Up(ready, Terminal()).run(repeats)
        # A part that this checkout's set-up found done keeps the figure of when it was last done.
        result["cold_setup_s"] = {**_known(what).get("cold_setup_s", {}), **setup.cold_seconds()}
    elif what == "guide":
        result = GuideWalk(ready, Terminal(), guide.read(common.LAB)).run(repeats)
    else:
        result = Recover(ready, Terminal(), engine_too=engine_too).run(repeats)
    _write(what, result)
    page = CHECKOUT / tables.PAGES[what]
    write_whole(page, tables.into(page.read_text(encoding="utf-8"), result, what))
    click.echo(f"{tables.PAGES[what]}: its table is made anew")
    return 0


def _known(what: str) -> dict[str, Any]:
    file = common.file(what)
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return known


def _write(what: str, result: dict[str, Any]) -> None:
    file = common.file(what)
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps(result, indent=2) + "\n")
    for figure in result["figures"]:
        # Figures of this kind are seconds, and say so in their names; others have a unit.
        median, least, most, aimed = (
            figure.get(f"{key}_s", figure.get(key)) for key in ("median", "min", "max", "aim")
        )
        aim = f"aim {aimed:g}" if aimed else ""
        click.echo(
            f"{figure['name']:<70} {median:>7.1f} {figure.get('unit', 's')}  ({least:.1f}-{most:.1f}, "
            f"n={figure['n']})  {aim}"
        )
    click.echo(f"bench {what}: written to {file}")
