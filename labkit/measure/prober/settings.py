"""What to probe. Checked before anything is touched; all problems are reported at once."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.measure.prober._priority import PRIORITIES
from labkit.system.errors import LabError

MAX_PER_S = 2000
"""Above this one process can not keep its clock on any machine we know of."""
MAX_OPEN = 4000
"""Requests that could be open at once: rate times deadline."""
MAX_DEADLINE_S = 60.0
MAX_DURATION_S = 24 * 3600.0

_STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What one prober does; whether it can is said by `check`."""

    urls: Sequence[str]
    """Base URLs of the replicas, `http://host:port`; each kind of request takes them in turn."""
    folder: Path
    """Existing folder for STREAM.jsonl and STREAM.prober.json, which must not be there yet."""
    stream: str = "probe"
    reads_per_s: float = 50.0
    writes_per_s: float = 10.0
    """A write without acknowledgement is not sent again: that would make the load depend on the answers."""
    deadline_s: float = 1.0
    """Of each request, from its scheduled time."""
    duration_s: float = 3600.0
    """It ends by itself after this time."""
    client: str = ""
    """`client` of the entries it writes; made from the stream and the start time if empty."""
    expect: Mapping[str, str] = field(default_factory=dict)
    """What /whoami must answer besides a replica's name: `side`, `version`, …"""
    priority: str = "real-time"
    """To ask for; what was got is in the record, see labkit.measure.prober._priority."""
    parent_pid: int | None = None
    """It ends in order when this process is no longer its parent."""


def check(given: Mapping[str, Any]) -> Settings:
    """The settings out of JSON-like values. Raises LabError naming every problem with value and rule."""
    problems = [*_unknown(given), *_missing(given)]
    values = dict(given)
    for name, rule, test in _RULES:
        if name in values and not test(values[name]):
            problems.append(f"{name} {values[name]!r}: {rule}")
    if not problems:
        problems = [*_together(values), *_files(Path(values["folder"]), values.get("stream", "probe"))]
    if problems:
        raise LabError("The prober cannot run:\n  " + "\n  ".join(problems), hint="correct these settings")
    values["urls"] = tuple(url.rstrip("/") for url in values["urls"])
    values["folder"] = Path(values["folder"])
    return Settings(**values)


def _unknown(given: Mapping[str, Any]) -> list[str]:
    known = [one.name for one in fields(Settings)]
    return [f"{name} is no setting: {', '.join(known)}" for name in given if name not in known]


def _missing(given: Mapping[str, Any]) -> list[str]:
    needed = [one.name for one in fields(Settings) if one.default is MISSING and one.default_factory is MISSING]
    return [f"{name} is missing" for name in needed if name not in given]


def _together(values: Mapping[str, Any]) -> list[str]:
    reads, writes = (float(values.get(name, getattr(Settings, name))) for name in ("reads_per_s", "writes_per_s"))
    deadline_s = float(values.get("deadline_s", Settings.deadline_s))
    rate = reads + writes
    if rate == 0:
        return ["reads_per_s 0 and writes_per_s 0: one of them must be above 0"]
    if rate > MAX_PER_S:
        return [f"reads_per_s {reads:g} and writes_per_s {writes:g}: together at most {MAX_PER_S}"]
    if rate * deadline_s > MAX_OPEN:
        return [
            f"{rate:g} requests a second with deadline_s {deadline_s:g}: {rate * deadline_s:.0f} could be open at "
            f"once; at most {MAX_OPEN}"
        ]
    return []


def _files(folder: Path, stream: str) -> list[str]:
    if not folder.is_dir():
        return [f"folder {folder}: must be an existing folder"]
    if not os.access(folder, os.W_OK):
        return [f"folder {folder}: must be writable"]
    return [
        f"stream {stream!r}: {file} is there already, and samples are never overwritten"
        for file in (samples_file(folder, stream), record_file(folder, stream))
        if file.exists()
    ]


def samples_file(folder: Path, stream: str) -> Path:
    """Where a prober writes its samples."""
    return folder / f"{stream}.jsonl"


def record_file(folder: Path, stream: str) -> Path:
    """Where a prober writes what a reader of its samples must know."""
    return folder / f"{stream}.prober.json"


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.path.strip("/"))
    return parts.scheme == "http" and bool(parts.hostname) and port != 0 and bare


def _is_within(value: object, low: float, high: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and low <= value <= high


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _STREAM.fullmatch(value) is not None


def _is_rate(value: object) -> bool:
    return value == 0 or _is_within(value, 0.01, MAX_PER_S)


_RULES: tuple[tuple[str, str, Any], ...] = (
    (
        "urls",
        "must be one or more of http://host:port, without path",
        lambda urls: isinstance(urls, list | tuple) and bool(urls) and all(_is_url(url) for url in urls),
    ),
    ("folder", "must be a path", lambda folder: isinstance(folder, str | Path) and str(folder) != ""),
    ("stream", "must be 1 to 40 of A-Z a-z 0-9 . _ - and a letter or digit first", _is_name),
    ("client", "must be 1 to 40 of A-Z a-z 0-9 . _ - and a letter or digit first", lambda v: v == "" or _is_name(v)),
    ("reads_per_s", f"must be 0 (none) or 0.01 to {MAX_PER_S} a second", _is_rate),
    ("writes_per_s", f"must be 0 (none) or 0.01 to {MAX_PER_S} a second", _is_rate),
    ("deadline_s", f"must be 0.001 to {MAX_DEADLINE_S:g} s", lambda value: _is_within(value, 0.001, MAX_DEADLINE_S)),
    ("duration_s", f"must be 0.1 to {MAX_DURATION_S:g} s", lambda value: _is_within(value, 0.1, MAX_DURATION_S)),
    (
        "expect",
        "must be names and texts, as /whoami answers them",
        lambda value: (
            isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)
        ),
    ),
    ("priority", f"must be {', '.join(PRIORITIES)}", lambda value: isinstance(value, str) and value in PRIORITIES),
    (
        "parent_pid",
        "must be a process id or null",
        lambda value: value is None or (isinstance(value, int) and value > 0),
    ),
)
