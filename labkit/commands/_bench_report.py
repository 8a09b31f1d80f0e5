"""./lab bench report."""

from __future__ import annotations

import json

import click

from bench import report
from labkit.judge import words
from labkit.measure import machine_box
from labkit.report import quantities
from labkit.system.files import write_whole
from labkit.system.progress import Terminal


def run(lab: str, repeats: int) -> int:
    """Measure, write bench/report.json and show it as a table. Needs no set-up."""
    result = report.run(machine_box.laptop_box(), lab, repeats, Terminal())
    file = report.FILE
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps(result, indent=2) + "\n")
    for figure in result["figures"]:
        unit = quantities.unit_of(figure["name"])
        median, least, most = words.quantities([figure[key] for key in ("median", "min", "max")], unit)
        aim = f"  aim {words.quantity(figure['aim'], unit)}" if figure["aim"] else ""
        click.echo(f"{quantities.label_of(figure['name']):<16} {median} ({least} to {most}, n = {figure['n']}){aim}")
    click.echo(f"bench report: {result['samples']} samples, written to {file}")
    return 0
