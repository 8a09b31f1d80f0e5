"""./lab report as HTML: one run, two runs compared, or the runs of a class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import click

from labkit.judge.model import Row
from labkit.judge.rows import judge
from labkit.measure import labs
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


def compare(name: str, first: str, second: str, file: Path | None) -> int:
    """Write the page of two runs of a lab, each given by its id or its folder."""
    from labkit.report import compare as pages  # noqa: PLC0415 - plotting takes a second to load

    lab = labs.load(name)
    found = [run_folder.of(name, given) for given in (first, second)]
    target = writable(file or found[0][0].parent / f"compare-{found[0][0].name}-{found[1][0].name}.html")
    return _write(pages.page(*((run, judge(run, lab.claims)) for _, run in found)), target)


def merge(name: str, place: Path, file: Path | None) -> int:
    """Write the page of all runs of a lab below a folder; those that cannot be believed are named and left out.

    Raises LabError when none is left.
    """
    from labkit.report.merge import Broken, Entry, page  # noqa: PLC0415 - as above

    lab = labs.load(name)
    target = writable(file or place / PAGE)
    entries: list[Entry] = []
    broken: list[Broken] = []
    for folder in sorted(found.parent for found in place.rglob(run_folder.RUN)):
        shown = str(folder.relative_to(place))
        try:
            run = run_folder.load(folder)
        except LabError as error:
            broken.append(Broken(shown, error.problem))
            continue
        if run.lab == name:
            entries.append(Entry(shown, run, judge(run, lab.claims)))
        else:
            broken.append(Broken(shown, f"a run of the lab {run.lab}"))
    for left_out in broken:
        click.echo(f"Left out: {left_out.name}: {left_out.reason}", err=True)
    if not entries:
        raise LabError(f"There is no readable run of {name} below {place}.", hint=f"./lab run {name}")
    return _write(page(entries, broken, place=place.resolve().name), target)


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
