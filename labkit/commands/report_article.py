"""./lab report without a lab: the article's nine rows in one table, from the newest whole run of each lab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from labkit.commands import report
from labkit.measure import labs
from labkit.measure.labs import Lab
from labkit.report import article
from labkit.report.article import Held, LeftOut, Table
from labkit.runs import run_folder
from labkit.system import stack_files
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT


def show(*, as_json: bool) -> int:
    """Show the table of this checkout's runs."""
    table = of_folders(below(run_folder.RUNS))
    if as_json:
        from labkit.report import as_json as facts  # noqa: PLC0415 - only where it is asked for

        click.echo(json.dumps(facts.article(table), indent=2))
        return 0
    from labkit.report import article_terminal  # noqa: PLC0415 - takes a while to load

    report.put(article_terminal.render(table))
    return 0


def readme() -> int:
    """Make README.md's table anew, from the runs that are stored beside the labs' guides."""
    from labkit.guide import nine_rows  # noqa: PLC0415 - only where it is asked for

    file = CHECKOUT / "README.md"
    write_whole(file, nine_rows.into(file.read_text(encoding="utf-8"), stored()))
    click.echo(f"{file.name}: its table of nine rows is made anew")
    return 0


def stored() -> Table:
    """The table of the runs that are stored beside the labs' guides."""
    return of_folders(CHECKOUT / "labs" / name / run_folder.STORED for name in stack_files.names())


def of_folders(folders: Iterable[Path]) -> Table:
    """The table of the runs in these folders, of all labs of this version. Folders without a run have no part in it."""
    known = {name: labs.load(name) for name in stack_files.names()}
    held, left_out = gather((one for one in folders if (one / run_folder.RUN).is_file()), known)
    return article.table(list(known.values()), held, left_out)


def below(place: Path) -> list[Path]:
    """All run folders below a folder, or the folder itself."""
    return sorted(found.parent for found in place.rglob(run_folder.RUN))


def gather(folders: Iterable[Path], known: Mapping[str, Lab]) -> tuple[list[Held], list[LeftOut]]:
    """The runs that the table needs, newest first, and those that cannot be believed or are of no lab that is known.

    Runs that are too old to have a part in it are only looked at: reading a run whole takes ten times as long.
    """
    left_out: list[LeftOut] = []
    glimpsed: list[tuple[float, Path, str]] = []
    held: dict[str, list[Held]] = {name: [] for name in known}
    for folder in folders:
        try:
            lab, started = run_folder.glimpse(folder)
        except run_folder.RefusedError as error:
            left_out.append(LeftOut(run_folder.shown(folder), error.reason))
            continue
        if lab in known:
            glimpsed.append((article.began(started), folder, lab))
        else:
            left_out.append(LeftOut(run_folder.shown(folder), f"the lab {lab} is not in this version"))
    for _, folder, lab in sorted(glimpsed, reverse=True):
        if article.enough(known[lab], held[lab]):
            continue
        try:
            held[lab].append(Held(run_folder.shown(folder), run_folder.load(folder)))
        except run_folder.RefusedError as error:
            left_out.append(LeftOut(run_folder.shown(folder), error.reason))
    return [one for some in held.values() for one in some], left_out
