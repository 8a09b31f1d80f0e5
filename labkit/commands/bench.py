"""./lab bench."""

from __future__ import annotations

import json

import click

from labkit import bench, figures
from labkit.bench_recover import Recover
from labkit.bench_up import Up
from labkit.commands import setup
from labkit.errors import LabError
from labkit.paths import CHECKOUT
from labkit.progress import Terminal


def run(what: str, repeats: int, *, engine_too: bool, yes: bool) -> int:
    """Measure, write bench/WHAT.json and show it as a table."""
    if engine_too and what != "recover":
        raise LabError(f"--engine is for recover; {what} has no reboot.", hint=f"./lab bench {what}")
    ready = setup.prepare(yes=yes)
    if what == "up":
        result = Up(ready, Terminal()).run(repeats)
        result["cold_setup_s"] = setup.cold_seconds()
    else:
        result = Recover(ready, Terminal(), engine_too=engine_too).run(repeats)
    file = bench.file(what)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")
    readme = CHECKOUT / "README.md"
    readme.write_text(figures.into(readme.read_text(), result, what))
    for figure in result["figures"]:
        aim = f"aim {figure['aim_s']:.0f}" if figure["aim_s"] else ""
        click.echo(
            f"{figure['name']:<70} {figure['median_s']:>6.1f} s  ({figure['min_s']:.1f}-{figure['max_s']:.1f}, "
            f"n={figure['n']})  {aim}"
        )
    click.echo(f"bench {what}: written to {file} and README.md")
    return 0
