"""./lab report as HTML: one run, the table over all labs, two of either compared, or the runs of a class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from labkit.commands.report_article import below, of_folders
from labkit.judge.model import Row
from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.report.article import LeftOut, Table
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.files import write_whole

PAGE = "report.html"
OURS = b'<meta name="generator" content="vm-vs-container">'
"""What every page of ours begins with: only such a file is written over."""

_HEAD_BYTES = 600


def one(name: str, run_id: str, file: Path | None) -> int:
    """Write the page of a run: of this id or folder, else the newest; into its folder if no file is named."""
    lab = labs.load(name)
    folder, run = run_folder.of(name, run_id)
    target = writable(file or folder / PAGE)
    source = source_of(run, judge(run, lab.claims), folder)
    return _write(source, target)


def article(file: Path | None) -> int:
    """Write the page of the table over all labs; into the folder of the runs if no file is named."""
    from labkit.report import html  # noqa: PLC0415 - plotting takes a second to load

    target = writable(file or _beside_runs(PAGE))
    return _write(html.article(of_folders(below(run_folder.RUNS))), target)


def compare(name: str | None, first: str, second: str, file: Path | None) -> int:
    """Write the page of two runs of a lab, each given by its id or its folder.

    Without a lab, each may also be a folder of runs of any labs, of which those are shown that its table is made of.
    """
    from labkit.report import compare as pages  # noqa: PLC0415 - as above

    if name is None:
        target = writable(file or _beside_runs("compare.html"))
        one, other = _table(first), _table(second)
        return _write(pages.page(one.judged, other.judged, [one.verdicts, other.verdicts]), target)
    lab = labs.load(name)
    found = [run_folder.of(name, given) for given in (first, second)]
    target = writable(file or found[0][0].parent / f"compare-{found[0][0].name}-{found[1][0].name}.html")
    one_run, other_run = ([(run, judge(run, lab.claims))] for _, run in found)
    return _write(pages.page(one_run, other_run), target)


def _table(given: str) -> Table:
    """The table of the runs below a folder, or of one run of this checkout. Raises LabError where there is none."""
    by_id = [run_folder.RUNS / lab / given for lab in stack_files.names()]
    table = of_folders(below(Path(given)) if Path(given).is_dir() else by_id)
    _say_left_out(table.left_out)
    if not table.sources:
        raise LabError(
            f"There is no readable run {given!r}, and none below a folder of that name.",
            hint=f"name a folder that holds runs, or make one: ./lab run {stack_files.example()}",
        )
    return table


def merge(name: str | None, place: Path, file: Path | None) -> int:
    """Write the page of all runs of a lab (or of all labs) below a folder; those not to be believed are named.

    Raises LabError when none is left.
    """
    from labkit.report.merge import Entry, page  # noqa: PLC0415 - as above

    known = {one: labs.load(one) for one in ([name] if name else stack_files.names())}
    target = writable(file or place / PAGE)
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    for folder in below(place):
        shown = str(folder.relative_to(place))
        try:
            run = run_folder.load(folder)
        except run_folder.RefusedError as error:
            left_out.append(LeftOut(shown, error.reason))
            continue
        if run.lab in known:
            entries.append(Entry(shown, run, judge(run, known[run.lab].claims)))
        else:
            left_out.append(LeftOut(shown, f"a run of the lab {run.lab}"))
    _say_left_out(left_out)
    if not entries:
        what = f"run of {name}" if name else "run"
        raise LabError(f"There is no readable {what} below {place}.", hint=f"./lab run {name or stack_files.example()}")
    return _write(page(entries, left_out, place=place.resolve().name), target)


def _beside_runs(name: str) -> Path:
    run_folder.RUNS.mkdir(exist_ok=True)
    return run_folder.RUNS / name


def _say_left_out(runs: Iterable[LeftOut]) -> None:
    for one in runs:
        click.echo(f"Left out: {one.folder}: {one.reason}", err=True)


def source_of(run: Run, rows: Sequence[Row], folder: Path) -> str:
    """The page of a run that was loaded from this folder."""
    from labkit.report import html, streams  # noqa: PLC0415 - as above

    wanted = [repeat.stream for experiment in run.experiments for repeat in experiment.repeats if repeat.stream]
    digest = hashlib.sha256((folder / run_folder.RUN).read_bytes()).hexdigest()
    return html.page(
        run,
        rows,
        streams.read(folder / run_folder.SAMPLES, wanted),
        digest=digest,
        labs=stack_files.names(),
        own=[figure(run, rows) for figure in labs.load(run.lab).figures.values()],
    )


def writable(file: Path) -> Path:
    """The file, if a page may be written there: it is new, or a page of ours. Raises LabError."""
    hint = "name another file: --html FILE"
    try:
        with file.open("rb") as old:
            if OURS not in old.read(_HEAD_BYTES):
                raise LabError(f"{file} is there and is no page of this tool.", hint=hint)
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise LabError(f"There is no folder {file.parent}.", hint=hint) from None
    except OSError as error:
        raise LabError(f"{file} cannot be written: {error.strerror}", hint=hint) from error
    return file


def _write(source: str, file: Path) -> int:
    try:
        write_whole(file, source)
    except OSError as error:
        raise LabError(f"{file} cannot be written: {error.strerror}", hint="name another file: --html FILE") from error
    click.echo(f"Report: {file} ({len(source.encode()) / 1000:.0f} kB)")
    return 0
