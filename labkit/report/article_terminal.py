"""The article's table over all labs in the terminal. Pure: table -> renderable."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from labkit.report import terminal
from labkit.report._verdicts import SIGNS
from labkit.report.article import Line, Source, Table, listed

_WARNING = "bold yellow"


def render(table: Table) -> RenderableType:
    """The rows, the runs that they come from, what is missing and what was left out."""
    return Group(*_parts(table))


def _parts(table: Table) -> Iterator[RenderableType]:
    if table.emulated:
        yield terminal.banner(f"{table.emulated}: ")
    if table.differences:
        names = ", ".join(dict.fromkeys(one.name for one in table.differences))
        yield Text(f"These runs are not of one machine, settings and version: they differ in {names}.", style=_WARNING)
    shown = terminal.nine_rows("measured and seen")
    for line in table.lines:
        shown.add_row(line.stated.name, line.stated.of_vms, line.stated.of_containers, _line(table, line))
    yield shown
    yield from (_source(source) for source in table.sources)
    if table.differences:
        yield Text("In what these runs differ:", style=_WARNING)
        yield from (Text(f"  {one.of}: {one.name}: {one.words}", style="yellow") for one in table.differences)
    for missing in table.missing:
        yield Text(f"Of the lab {missing.lab} no run has {'; '.join(missing.lacks)}. Measure: {missing.command}")
    yield from (Text(f"Left out: {one.folder}: {one.reason}", style="yellow") for one in table.left_out)


def _line(table: Table, line: Line) -> Text:
    told = terminal.verdict(line.verdict)
    if differing := table.differing(line):
        told.append(f" from {listed(differing)}, which differ (see below)", style="not bold yellow")
    for part in line.parts:
        if part.source:
            letter = f" [{part.source.letter}]"
            told.append("\n").append_text(terminal.claim(part.judgement)).append(letter, style="not bold dim")
    if without := [part.judgement.claim for part in line.parts if not part.source]:
        experiments = listed(list(dict.fromkeys(claim.experiment for claim in without)))
        parts = f"{SIGNS['not measured']} {len(without)} part{'s' if len(without) > 1 else ''} not measured"
        told.append(f"\n{parts}: no run has {experiments} complete.", style="not bold dim")
    if not line.parts:
        told.append(f"\n{table.nothing(line)}", style="not bold dim")
    return told


def _source(source: Source) -> Text:
    run, box = source.run, source.run.machine
    return Text(
        f"{source.letter}: {source.folder} ({run.lab}, {source.depth}), {run.started}; {box.get('cpu', '?')}, "
        f"{box.get('cores', '?')} cores, Linux {box.get('kernel', '?')}, {run.accelerator}; commit {run.commit}",
        style="dim",
    )
