"""The README's table of nine rows, made from the runs that are stored beside the labs' guides. Pure.

Nobody types it: `./lab report --readme` and `./lab guide LAB --figures RUN` make it, and a test holds it against them.
"""

from __future__ import annotations

from collections.abc import Iterator

from labkit.guide import figures
from labkit.report.article import Line, Table
from labkit.system.errors import LabError

BEGIN, END = "<!-- report:nine-rows -->", "<!-- /report:nine-rows -->"


def into(text: str, table: Table) -> str:
    """The page with its block made anew. Raises LabError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise LabError(f"README.md has no block {BEGIN} … {END}.", hint="git checkout -- README.md")
    return "".join([before, begin, "\n", "\n".join(_lines(table)), "\n", end, after])


def _lines(table: Table) -> Iterator[str]:
    yield "| row | VMs | containers | verdict | its parts | lab |"
    yield "|---|---|---|---|---|---|"
    yield from (_row(table, line) for line in table.lines)
    for source in table.sources:
        yield ""
        yield f"{source.letter} ({source.run.lab}): {figures.machine(source.run, source.rows)}"
    if table.differences:
        by_kind: dict[str, list[str]] = {}
        for one in table.differences:
            by_kind.setdefault(one.of, []).append(one.name)
        told = "; ".join(f"{of}: {', '.join(names)}" for of, names in by_kind.items())
        yield ""
        yield f"These runs are not of one machine, settings and version; they differ in {told}."
    for missing in table.missing:
        yield ""
        yield f"Of the lab {missing.lab} no stored run has {'; '.join(missing.lacks)}."


def _row(table: Table, line: Line) -> str:
    parts = ", ".join(f"{verdict}: {number}" for verdict, number in line.counted)
    labs = dict.fromkeys(part.lab for part in line.parts)
    of = ", ".join(f"[{lab}](labs/{lab}/README.md)" for lab in labs) or line.stated.lab
    letters = f" ({', '.join(line.letters)})" if line.letters else ""
    cells = (line.stated.name, line.stated.of_vms, line.stated.of_containers, f"**{line.verdict}**",
             parts or table.nothing(line), f"{of}{letters}")  # fmt: skip
    return f"| {' | '.join(cells)} |"
