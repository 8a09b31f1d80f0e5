"""What a guide shows of numbers: blocks `<!-- run:NAME -->` made from the stored run of its lab. Pure.

Nobody types a number into a guide: the blocks are made by `./lab guide LAB --figures RUN`, and a test holds them
against the run that is stored beside the guide. Before a run is stored they are empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Figure, Table
from labkit.report import tables
from labkit.report.as_text import evidence
from labkit.runs.records import Run
from labkit.system.errors import LabError

_BLOCK = re.compile(r"<!-- run:([a-z-]+) -->\n.*?<!-- /run:\1 -->", re.DOTALL)


def into(text: str, run: Run, rows: Sequence[Row], file: str, own: Mapping[str, Figure] | None = None) -> str:
    """The text with every block made anew; `own` are the figures of the lab. Raises LabError for an unknown block."""
    own = own or {}

    def make(match: re.Match[str]) -> str:
        name = match[1]
        if name not in BLOCKS and name not in own:
            there = ", ".join([*BLOCKS, *own])
            raise LabError(f"{file}: there is no block run:{name}; there is {there}.", hint=f"correct {file}")
        made = table(own[name](run, rows)) if name in own else BLOCKS[name](run, rows)
        return f"<!-- run:{name} -->\n{made}\n<!-- /run:{name} -->"

    return _BLOCK.sub(make, text)


def emptied(text: str) -> str:
    """The text without what any block shows, as it is before a run is stored."""
    return _BLOCK.sub(lambda match: f"<!-- run:{match[1]} -->\n<!-- /run:{match[1]} -->", text)


def table(shown: Table) -> str:
    """A lab's own table, and its picture."""
    lines = [shown.head, ["---"] * len(shown.head), *shown.lines] if shown.lines or not shown.mermaid else []
    rows = [f"| {' | '.join(map(_cell, line))} |" for line in lines]
    picture = [*([""] if rows else []), "```mermaid", shown.mermaid, "```"] if shown.mermaid else []
    return "\n".join([*rows, *picture])


def machine(run: Run, rows: Sequence[Row]) -> str:  # noqa: ARG001 - all blocks are made alike
    """On what the run was made, in a sentence or two."""
    box = run.machine
    banner = words.banner().replace(words.EMULATED, f"**{words.EMULATED}**")
    emulated = f" {banner}" if run.accelerator == "tcg" else ""
    few = " Few repeats (`--quick`)." if run.quick else ""
    return (
        f"One run of {run.started[:10]} on {box.get('cores', '?')} cores ({box.get('cpu', '?')}), Linux "
        f"{box.get('kernel', '?')}, QEMU {box.get('qemu', '?')}, Docker Engine {box.get('server_engine', '?')}, load "
        f"{box.get('load_1min', '?')} at its start.{emulated}{few}"
    )


def verdicts(run: Run, rows: Sequence[Row]) -> str:  # noqa: ARG001 - all blocks are made alike
    """Each claim that the run can judge, with its numbers and its verdict, below its row."""
    lines = ["| row | claim | numbers: median (least to most), n | verdict |", "|---|---|---|---|"]
    for row in rows:
        measured = [part for part in row.parts if part.verdict != "not measured"]
        for at, part in enumerate(measured):
            seen = words.medians(part) or ", ".join(
                f"{name}: {_short(value)}" for name, value in evidence(part.evidence)
            )
            lines.append(
                f"| {f'**{row.name}**' if at == 0 else ''} | {_cell(part.claim.text)} | {_cell(seen)} | "
                f"{_cell(words.verdict(part))} |"
            )
    return "\n".join(lines)


def stages(run: Run, rows: Sequence[Row]) -> str:  # noqa: ARG001 - all blocks are made alike
    """The stages of each start, with their source."""
    lines = ["| what | side | stage | median | share | n | read from |", "|---|---|---|---:|---:|---:|---|"]
    for one in tables.stage_lines(run):
        lines.append(
            f"| {one.experiment} {one.action} | {words.named(one.arm)} | {_cell(one.name)} | "
            f"{words.quantity(one.median_s, 's')} | {one.share:.0%} | {one.n} | {_cell(one.source)} |"
        )
    return "\n".join(lines)


BLOCKS: Mapping[str, Callable[[Run, Sequence[Row]], str]] = {
    "machine": machine,
    "stages": stages,
    "verdicts": verdicts,
}
"""The blocks of every lab; LAB.figures are a lab's own."""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN = 80


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
