"""The two files of a prober: its samples, written as they come, and what a reader of them must know."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit.measure.prober.sample import Sample, line
from labkit.system.errors import LabError
from labkit.system.files import write_whole

SCHEMA_VERSION = 1


class FullError(LabError):
    """Something could not be written; samples that were written before stay, whole lines only."""


@dataclass(frozen=True)
class Record:
    """What STREAM.prober.json holds. A prober that was killed, or whose disk was full, leaves `state` at `running`."""

    stream: str
    client: str
    began_monotonic_s: float
    """CLOCK_MONOTONIC, which all processes of a machine share, at second 0 of the samples."""
    began: str
    """Wall time of it, for people: ISO 8601 with offset."""
    pid: int
    priority: str
    """That it ran with, one of labkit.measure.prober._priority.PRIORITIES."""
    priority_problem: str
    """Why not with the one that was asked for; empty if it did."""
    settings: dict[str, Any]
    state: str = "running"
    """`running`, `complete` (ran its duration), `stopped` (was told to), `failed`."""
    problem: str = ""
    seconds: float | None = None
    """From its start to its end."""
    cpu_s: float | None = None
    """CPU time of its process, start-up of Python included."""
    samples: int | None = None
    schema_version: int = field(default=SCHEMA_VERSION)

    def save(self, file: Path) -> None:
        """Write it, whole or not at all. Raises FullError."""
        try:
            write_whole(file, json.dumps(asdict(self), indent=1, default=str) + "\n")
        except OSError as error:
            raise FullError(f"{file} could not be written: {error.strerror}", hint=_hint(file.parent)) from error


def load(file: Path) -> Record:
    """A record as it was written. Raises LabError where it is none."""
    try:
        record = Record(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise LabError(f"{file} is not there: no prober ever ran here", hint="measure again") from error
    except (ValueError, TypeError) as error:
        raise LabError(f"{file} is not the record of a prober: {error}", hint="measure again") from error
    if record.schema_version != SCHEMA_VERSION:
        raise LabError(
            f"{file} has schema_version {record.schema_version!r}, this tool reads {SCHEMA_VERSION}",
            hint="measure again",
        )
    return record


def _hint(folder: Path) -> str:
    return f"free some space on the disk of {folder}, then measure again"


class Writer:
    """Appends samples to a new file, each at once: a kill loses at most the line under way."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FullError(f"{file} could not be made: {error.strerror}", hint=_hint(file.parent)) from error
        self._whole_bytes = 0
        self.count = 0

    def add(self, sample: Sample) -> None:
        """Write one sample. Raises FullError when the disk, a quota or a size limit does not take it."""
        data = line(sample).encode()
        rest = data
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self._whole_bytes)
            raise FullError(
                f"Samples could not be written to {self._file}: {error.strerror}. "
                f"The {self.count} samples before are kept.",
                hint=_hint(self._file.parent),
            ) from error
        self._whole_bytes += len(data)
        self.count += 1

    def close(self) -> None:
        """Hand the file to the disk."""
        os.close(self._descriptor)
