"""./lab bench."""

from __future__ import annotations

import json

import click

from labkit import bench, figures
from labkit.commands import setup
from labkit.paths import CHECKOUT
from labkit.progress import Terminal


def run(what: str, repeats: int, *, yes: bool) -> int:
    """Measure, write bench/WHAT.json and show it as a table."""
    ready = setup.prepare(yes=yes)
    result = bench.Bench(ready, Terminal()).run(repeats)
    result["cold_setup_s"] = setup.cold_seconds()
    file = bench.FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")
    readme = CHECKOUT / "README.md"
    readme.write_text(figures.into(readme.read_text(), result))
    for figure in result["figures"]:
        aim = f"aim {figure['aim_s']:.0f}" if figure["aim_s"] else ""
        click.echo(
            f"{figure['name']:<70} {figure['median_s']:>6.1f} s  ({figure['min_s']:.1f}-{figure['max_s']:.1f}, "
            f"n={figure['n']})  {aim}"
        )
    click.echo(f"bench {what}: written to {file} and README.md")
    return 0
