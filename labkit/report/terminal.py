"""The report of a run in the terminal: banner, rows, figures, stages, predictions. Pure: run -> renderable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.box import HORIZONTALS
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from labkit.judge import words
from labkit.judge.model import Judgement, Measured, Row, Verdict
from labkit.judge.outcome import DECIDED
from labkit.report import _verdicts as verdicts
from labkit.report import quantities, tables
from labkit.report._verdicts import SIGNS
from labkit.runs.records import Run

_STYLES: Mapping[Verdict, str] = {
    "holds": "green",
    "does not hold": "red",
    "not decidable here": "yellow",
    "not comparable": "magenta",
    "not measured": "dim",
}
_MOST_FACTS = 8
_TWO = 2


def render(run: Run, rows: Sequence[Row], folder: str) -> RenderableType:
    """Everything there is to say of a run; `folder` is where it lies, for the last line."""
    return Group(*_parts(run, rows, folder))


def _parts(run: Run, rows: Sequence[Row], folder: str) -> Iterator[RenderableType]:
    depth = f" ({', '.join(run.depth)})" if run.depth else ""
    yield Text(f"Run {run.id} of lab {run.lab}{depth}, {run.started}", style="bold")
    if run.accelerator == "tcg":
        yield banner()
    yield _machine(run)
    seen = [row for row in rows if any(part.verdict != "not measured" for part in row.parts)]
    if seen:
        yield _rows(seen)
    yield from _left(run, [row for row in rows if row not in seen])
    yield _figures(run, rows)
    yield from _stages(run)
    yield from _facts(run)
    yield from _predictions(run, rows)
    yield from _problems(run)
    again = [run.lab, *(one.name for one in run.experiments), *(f"--{word}" for word in run.depth)]
    yield Text(f"Again: ./lab run {' '.join(again)}", style="dim")
    yield Text(f"Folder: {folder}", style="dim")


def banner(which: str = "") -> RenderableType:
    """What stands above everything that an emulated CPU has a part in; `which` runs, where there are several."""
    return Panel(Text(f"{which}{words.banner()}", style="bold yellow"), border_style="yellow", expand=False)


def _machine(run: Run) -> RenderableType:
    box = run.machine
    told = [
        f"{box.get('cpu', '?')}, {box.get('cores', '?')} cores, {box.get('memory_mib', '?')} MiB, "
        f"load {box.get('load_1min', '?')} at the start",
        f"Linux {box.get('kernel', '?')}, QEMU {box.get('qemu', '?')}, libvirt {box.get('libvirt', '?')}, "
        f"engine {box.get('server_engine', '?')}, Pulumi {box.get('pulumi', '?')}, "
        f"Debian {box.get('server_debian', '?')}",
        f"accelerator {run.accelerator}: {box.get('accelerator_reason', '?')}; commit {run.commit}",
    ]
    return Text("\n".join(told), style="dim")


def _rows(rows: Sequence[Row]) -> RenderableType:
    table = nine_rows()
    for row in rows:
        told = verdict(row.verdict)
        for part in row.parts:
            told.append("\n").append_text(claim(part))
        table.add_row(row.name, row.of_vms, row.of_containers, told)
    return table


def nine_rows(ours: str = "on this machine") -> Table:
    """The article's table, still empty; `ours` is the heading of what was found."""
    table = Table(title="VMs vs Containers", title_justify="left", show_lines=True, expand=True)
    for heading, ratio in (("row", 2), ("the article says of VMs", 3), ("of containers", 3), (ours, 8)):
        table.add_column(heading, overflow="fold", ratio=ratio)
    return table


def verdict(one: Verdict) -> Text:
    """A row's verdict with its sign."""
    return Text(f"{SIGNS[one]} {one}", style=f"bold {_STYLES[one]}")


def claim(part: Judgement) -> Text:
    """A part of a row: the claim, its verdict and why."""
    told = Text(f"{SIGNS[part.verdict]} ", style=f"not bold {_STYLES[part.verdict]}")
    told.append(f"{part.claim.text} ", style="not bold default")
    ratio = f" Ratio {part.ratio:.3g}." if part.ratio is not None else ""
    told.append(f"{words.verdict(part)}{ratio}", style=f"not bold {_STYLES[part.verdict]}")
    if advice := words.advice(part):
        told.append(f" {advice}", style="not bold dim")
    return told


def _left(run: Run, rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Rows of which this run says nothing, and what would."""
    if not rows:
        return
    yield Text(f"Not measured in this run: {', '.join(row.name for row in rows)}.", style="dim")
    missing = dict.fromkeys(part.claim.experiment for row in rows for part in row.parts)
    if missing:
        yield Text(f"  Measure them: ./lab run {run.lab} {' '.join(missing)}", style="dim")


def _figures(run: Run, rows: Sequence[Row]) -> RenderableType:
    table = _numbers("Figures", "what, side", "median", "min", "max", "n", "ratio", "95 % interval")
    for figure in tables.figures(run, rows):
        # Two arms have one ratio, which needs no name.
        alone = len(figure.spreads) == len(figure.judgements) + 1 == _TWO
        table.add_row(" ".join(word for word in (figure.experiment, figure.action, figure.name) if word), style="bold")
        for at, one in enumerate(figure.spreads):
            numbers = words.quantities((one.median, one.least, one.most), figure.unit)
            ratio = _ratio(figure.judgements[0]) if alone and at == 0 else ("", "")
            table.add_row(_below(words.named(one.arm)), *numbers, str(one.n), *ratio)
        for part in () if alone else figure.judgements:
            table.add_row(_below(words.compared(part)), "", "", "", "", *_ratio(part))
        table.add_section()
    return table


def _numbers(title: str, first: str, *headings: str) -> Table:
    """A table whose first column, which has long names, takes what the numbers leave."""
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _below(name: str) -> RenderableType:
    """What belongs to the line above it."""
    return Padding(name, (0, 0, 0, 2))


def _ratio(judgement: Judgement) -> tuple[str, str]:
    if judgement.ratio is None:
        return "", ""
    ratio = f"{judgement.ratio:.3g}"
    if judgement.interval:
        low, high = judgement.interval
        return ratio, f"{low:.3g} to {high:.3g}"
    exact = isinstance(judgement.claim, Measured) and judgement.claim.metric.exact
    return ratio, "exact" if exact else "n too small"


def _stages(run: Run) -> Iterator[RenderableType]:
    lines = list(tables.stage_lines(run))
    if not lines:
        return
    table = _numbers("Stage by stage (medians)", "what, side, stage", "median", "share", "n")
    for heading in ("source", "resolution"):
        table.add_column(heading)
    before = ""
    for line in lines:
        what = f"{line.experiment} {line.action}".rstrip() + f", {words.named(line.arm)}"
        if what != before:
            table.add_section()
            table.add_row(what, style="bold")
        seconds, resolution = words.quantity(line.median_s, "s"), words.quantity(line.resolution_s, "s")
        table.add_row(_below(line.name), seconds, f"{line.share:.0%}", str(line.n), line.source, resolution)
        before = what
    yield table


def _facts(run: Run) -> Iterator[RenderableType]:
    """Facts that are bytes by name: the largest of them explain a size."""
    for experiment in run.experiments:
        for repeat in experiment.repeats:
            for name, fact in repeat.facts.items():
                if quantities.unit_of(name) == quantities.BYTES and isinstance(fact, Mapping) and fact:
                    largest = sorted(fact.items(), key=lambda item: -float(item[1]))
                    told = ", ".join(
                        f"{key} {words.quantity(float(size), quantities.BYTES)}" for key, size in largest[:_MOST_FACTS]
                    )
                    more = f" and {len(largest) - _MOST_FACTS} more" if len(largest) > _MOST_FACTS else ""
                    yield Text(f"{words.named(repeat.arm)}, {quantities.label_of(name)}: {told}{more}")


def _predictions(run: Run, rows: Sequence[Row]) -> Iterator[RenderableType]:
    judged = {part.claim.name: part for row in rows for part in row.parts}
    said = [(judged[claim], guess) for claim, guess in run.predictions.items() if claim in judged]
    if not said:
        return
    table = Table(title="Prediction and result", title_justify="left")
    for heading in ("claim", "you said", "came out", ""):
        table.add_column(heading, overflow="fold")
    for judgement, guess in said:
        prediction = verdicts.against(judgement, guess)
        table.add_row(judgement.claim.text, guess, _came_out(judgement, prediction.seen), prediction.words)
    yield table


def _came_out(judgement: Judgement, seen: str) -> str:
    """What was seen, with its ratio, and the verdict where it decides nothing."""
    if not seen:
        return judgement.verdict
    ratio = "" if judgement.ratio is None else f", ratio {judgement.ratio:.3g}"
    return f"{seen}{ratio}" + ("" if judgement.verdict in DECIDED else f" ({judgement.verdict})")


def _problems(run: Run) -> Iterator[RenderableType]:
    if not run.finished:
        yield Text("This run was cut short: what is here ends with its last whole repeat.", style="bold yellow")
    for experiment in run.experiments:
        if experiment.state != "complete":
            problem = f": {experiment.problem}" if experiment.problem else ""
            yield Text(f"Experiment {experiment.name}: {experiment.state}{problem}", style="bold yellow")
        for repeat in experiment.repeats:
            for why in (*repeat.marks, *([repeat.problem] if repeat.problem else [])):
                label = " ".join(word for word in (experiment.name, str(repeat.arm), repeat.action) if word)
                yield Text(f"Not counted: {label} {repeat.number}: {why}", style="yellow")
