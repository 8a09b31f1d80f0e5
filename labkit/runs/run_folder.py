"""A run on disk: run.json, checked by run.schema.json, and samples.jsonl; in runs/LAB/ID/ of the checkout.

run.json is written whole or not at all, after every repeat, and says by digest what it and samples.jsonl held: a run
that was killed can be read up to its last repeat, one that was cut short or edited is refused. Samples are only ever
appended, so that what an older run.json knows of them stays true.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from infra.plan import PROJECT
from labkit.runs.records import Repeat, Results, Run, Stage
from labkit.system.errors import LabError
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).with_name("run.schema.json")
RUNS = CHECKOUT / "runs"
"""Where the runs of this checkout lie; Git ignores it."""

STORED = "shown"
"""Folder, beside a lab's guide, of the run that it shows; Git keeps it."""

RUN = "run.json"
SAMPLES = "samples.jsonl"
_CHUNK = 1024**2


class RunError(LabError):
    """A run folder that must not be believed, or that could not be written."""


class RefusedError(RunError):
    """A run folder that must not be believed. `reason` says why without naming it, for lists of folders."""

    def __init__(self, folder: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"The run {folder} is refused: {reason}.", hint=hint)
        self.reason = reason


def new(lab: str, stamp: str, runs: Path = RUNS) -> Path:
    """Make a folder for a run that begins at `stamp`, a word fit for a file name. Raises RunError."""
    home = runs / lab
    for name in (stamp, *(f"{stamp}-{number}" for number in range(2, 100))):
        with suppress(FileExistsError):
            try:
                home.mkdir(parents=True, exist_ok=True)
                (home / name).mkdir()
            except FileExistsError:
                raise
            except OSError as error:
                raise _cannot_write(home / name, error) from error
            return home / name
    raise RunError(f"There are 99 runs of {stamp} already in {home}.", hint="wait a second, then run it again")


def all_of(lab: str, runs: Path = RUNS) -> list[Path]:
    """The lab's run folders, oldest first, readable or not."""
    return sorted(file.parent for file in (runs / lab).glob(f"*/{RUN}"))


def find(lab: str, given: str = "", runs: Path = RUNS) -> Path:
    """The folder of one run, given by its path or id, else the newest. Raises RunError naming those that there are."""
    if given and (Path(given) / RUN).is_file():
        return Path(given)
    folders = all_of(lab, runs)
    if not folders:
        raise RunError(f"There is no run of lab {lab} yet.", hint=f"./lab run {lab}")
    if not given:
        return folders[-1]
    found = [folder for folder in folders if folder.name == given]
    if not found:
        names = ", ".join(folder.name for folder in folders[-5:])
        raise RunError(f"There is no run {given!r} of lab {lab}; the newest are {names}.", hint=f"./lab report {lab}")
    return found[0]


def shown(folder: Path) -> str:
    """A folder as a person in the checkout would type it."""
    return str(folder.relative_to(CHECKOUT)) if folder.is_relative_to(CHECKOUT) else str(folder)


def of(lab: str, given: str = "") -> tuple[Path, Run]:
    """A run of this lab, found and read: its folder and what it holds. Raises RunError, also for another lab's."""
    folder = find(lab, given)
    run = load(folder)
    if run.lab != lab:
        raise RunError(
            f"{folder} is a run of the lab {run.lab}, not of {lab}.", hint=f"./lab report {run.lab} {folder}"
        )
    return folder, run


def save(run: Run, folder: Path) -> Run:
    """Write run.json, whole or not at all, and onto the disk; the run as it was written, with its samples counted.

    Raises RunError when the disk does not take it: what was there before is kept.
    """
    samples = _samples(folder / SAMPLES)
    run = replace(run, samples=samples["lines"])
    # Through JSON once: what is digested is what a reader will find.
    content = json.loads(json.dumps(as_dict(run), allow_nan=False))
    document = {
        "project": PROJECT,
        "schema_version": SCHEMA_VERSION,
        "run_sha256": _digest(content),
        "samples": samples,
        "run": content,
    }
    try:
        write_whole(folder / RUN, json.dumps(document, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return run


def glimpse(folder: Path) -> tuple[str, str]:
    """The lab of a run and when it began, to pick among many: looks only at origin and digest, in a tenth of the time.

    Raises RefusedError as `load` does.
    """
    document = _document(folder)
    _check_origin(document, folder)
    content = document.get("run")
    if not isinstance(content, dict) or not isinstance(content.get("lab"), str):
        raise _refused(folder, f"{RUN} names no lab")
    _check_digest(document, folder)
    return content["lab"], str(content.get("started"))


def load(folder: Path) -> Run:
    """The run in a folder. Raises RefusedError naming what is wrong with it: foreign, truncated, edited, incomplete."""
    document = _document(folder)
    _check_origin(document, folder)
    _check_schema(document, folder)
    _check_digest(document, folder)
    content = document["run"]
    _check_samples(folder, document["samples"], finished=bool(content["finished"]))
    return from_dict(content)


def as_dict(run: Run) -> dict[str, Any]:
    """A run as the JSON object `run` of run.json. A repeat without factors has no such entry, nor a run `full`."""
    content = asdict(run)
    if not run.full:
        del content["full"]
    for experiment in content["experiments"]:
        for repeat in experiment["repeats"]:
            if not repeat["factors"]:
                del repeat["factors"]
    return content


def from_dict(content: Mapping[str, Any]) -> Run:
    """A run out of the JSON object that `as_dict` makes of it. The inverse, for checked content."""
    return Run(**{**content, "experiments": tuple(_experiment(one) for one in content["experiments"])})


def _experiment(content: Mapping[str, Any]) -> Results:
    repeats = tuple(_repeat(one) for one in content["repeats"])
    return Results(**{**content, "repeats": repeats, "subject": tuple(content["subject"])})


def _repeat(content: Mapping[str, Any]) -> Repeat:
    stages = tuple(Stage(**one) for one in content["stages"])
    return Repeat(**{**content, "stages": stages, "marks": tuple(content["marks"])})


def _document(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / RUN).read_bytes()
    except OSError as error:
        raise _refused(folder, f"{RUN} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        cut = not text.rstrip().endswith(b"}")
        raise _refused(folder, f"{RUN} is truncated" if cut else f"{RUN} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _refused(folder, f"{RUN} is not of this tool: it holds no JSON object")
    return document


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _check_origin(document: Mapping[str, Any], folder: Path) -> None:
    if document.get("project") != PROJECT:
        raise _refused(folder, f"{RUN} is of another project: {document.get('project')!r}, not {PROJECT!r}")
    if document.get("schema_version") != SCHEMA_VERSION:
        found = document.get("schema_version")
        raise _refused(folder, f"{RUN} has schema_version {found!r}, this tool reads {SCHEMA_VERSION}")


def _check_schema(document: Mapping[str, Any], folder: Path) -> None:
    import jsonschema  # noqa: PLC0415 - most commands end without it

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is not None:
        raise _refused(folder, f"{RUN}, {error.json_path}: {error.message[:200]}")


def _check_digest(document: Mapping[str, Any], folder: Path) -> None:
    if _digest(document["run"]) != document.get("run_sha256"):
        raise _refused(folder, f"{RUN} was edited: its content is not what its digest says")


def _check_samples(folder: Path, known: Mapping[str, Any], *, finished: bool) -> None:
    """Samples behind those that run.json knows of are those of a repeat that was cut short: only a dead run has any."""
    file = folder / SAMPLES
    there = file.stat().st_size if file.exists() else 0
    if there < known["bytes"]:
        raise _refused(folder, f"samples are missing: {SAMPLES} has {there} bytes of {known['bytes']}")
    if finished and there > known["bytes"]:
        raise _refused(folder, f"{SAMPLES} was edited: it has {there} bytes, and had {known['bytes']}")
    if _samples(file, known["bytes"])["sha256"] != known["sha256"]:
        raise _refused(folder, f"{SAMPLES} was edited: its content is not what its digest says")


def _samples(file: Path, limit: int | None = None) -> dict[str, Any]:
    digest, size, lines = hashlib.sha256(), 0, 0
    if file.exists():
        with file.open("rb") as samples:
            while chunk := samples.read(_CHUNK if limit is None else min(_CHUNK, limit - size)):
                digest.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
    return {"sha256": digest.hexdigest(), "bytes": size, "lines": lines}


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(folder: Path, reason: str) -> RefusedError:
    return RefusedError(folder, reason, hint=f"measure again: ./lab run {folder.parent.name}")


def _cannot_write(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"The run {folder} cannot be written: {error.strerror}. What was measured before is kept.",
        hint=f"free some space on the disk of {folder.parent}, then measure again",
    )
