"""./lab bench."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bench import common, measure, tables
from bench.guide import GuideWalk
from bench.lab import OneLab
from bench.recover import Recover
from bench.up import Up
from labkit.commands import _bench_report, guide, setup
from labkit.lifecycle.state import has_resources
from labkit.measure import labs
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Terminal

TOOL = ("up", "recover", "measure", "report", "guide")
"""What of this tool can be measured, by any lab; a lab's own benches come on top."""


def run(what: str, lab: str | None, repeats: int, *, engine_too: bool, yes: bool) -> int:
    """Measure, write the JSON file and show it as a table."""
    if engine_too and what != "recover":
        raise LabError(f"--engine is for recover; {what} has no reboot.", hint=f"leave it out: ./lab bench {what}")
    name = lab or (what if what in stack_files.names() else _only_one(what))
    own = labs.load(name).benches
    if what not in (*TOOL, name, *own):
        there = ", ".join([*TOOL, name, *own])
        raise LabError(f"There is no bench {what!r} with the lab {name}; there is {there}.", hint="./lab bench --help")
    if what == "report":
        return _bench_report.run(name, repeats)
    if has_resources(name) and not yes:
        raise LabError(
            f"The lab {name} is up, and a bench takes it down.",
            hint=f"./lab down {name}   (or repeat with --yes)",
        )
    ready = setup.prepare(yes=yes)
    if what in own:
        _write(common.file(what, name), own[what](ready, Terminal(), repeats))
    elif what == name:
        _write(common.file(what, name), OneLab(ready, Terminal(), name).run(repeats))
    elif what == "measure":
        _write(common.file(what), measure.run(ready, Terminal(), name, repeats))
    elif what == "up":
        file = common.file(what)
        result = Up(ready, Terminal(), name).run(repeats)
        # A part that this checkout's set-up found done keeps the figure of when it was last done.
        result["cold_setup_s"] = {**_known(file).get("cold_setup_s", {}), **setup.cold_seconds()}
        _write_with_page(what, name, file, result)
    elif what == "guide":
        result = GuideWalk(ready, Terminal(), name, guide.read(name)).run(repeats)
        _write_with_page(what, name, common.file(what, name), result)
    else:
        result = Recover(ready, Terminal(), name, engine_too=engine_too).run(repeats)
        _write_with_page(what, name, common.file(what), result)
    return 0


def _only_one(what: str) -> str:
    """The lab, where there is one. Which of several is measured is for the person to say."""
    there = stack_files.names()
    if len(there) != 1:
        raise LabError(f"Which lab? There is {', '.join(there)}.", hint=f"./lab bench {what} {stack_files.example()}")
    return there[0]


def _known(file: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return known


def _write_with_page(what: str, lab: str, file: Path, result: Mapping[str, Any]) -> None:
    _write(file, result)
    name = tables.PAGES[what].format(lab=lab)
    page = CHECKOUT / name
    write_whole(page, tables.into(page.read_text(encoding="utf-8"), result, what))
    click.echo(f"{name}: its table is made anew")


def _write(file: Path, result: Mapping[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps(result, indent=2) + "\n")
    for figure in result["figures"]:
        aim = f"aim {figure['aim']:g}" if figure["aim"] else ""
        click.echo(
            f"{figure['name']:<70} {figure['median']:>7.1f} {figure['unit']}  "
            f"({figure['min']:.1f}-{figure['max']:.1f}, n={figure['n']})  {aim}"
        )
    click.echo(f"bench {file.stem}: written to {file}")
