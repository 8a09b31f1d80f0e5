"""Probe streams of a run: each prober writes a file of its own, which joins samples.jsonl after its turn."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.measure.prober import record, sample, settings
from labkit.runs.run_folder import SAMPLES, RunError


def fold(folder: Path, stream: str, began_monotonic_s: float) -> dict[str, Any]:
    """Append a stream's samples to samples.jsonl, on the clock of the run; what the prober noted of itself.

    `began_monotonic_s` is the run's second 0. Raises LabError where the stream is not to be read or written.
    """
    noted = record.load(settings.record_file(folder, stream))
    by_s = noted.began_monotonic_s - began_monotonic_s
    samples = (one.shifted(by_s) for one in sample.read(settings.samples_file(folder, stream)))
    before = (folder / SAMPLES).stat().st_size if (folder / SAMPLES).exists() else 0
    try:
        sample.write(samples, folder / SAMPLES)
        with (folder / SAMPLES).open("a", encoding="utf-8") as file:
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            os.truncate(folder / SAMPLES, before)
        raise RunError(
            f"The samples of {stream} could not be added to {folder / SAMPLES}: {error.strerror}. They are kept in "
            f"{settings.samples_file(folder, stream)}.",
            hint=f"free some space on the disk of {folder}, then measure again",
        ) from error
    told: dict[str, Any] = json.loads(settings.record_file(folder, stream).read_text(encoding="utf-8"))
    return told


def forget(folder: Path, stream: str) -> None:
    """Remove a stream's own files; its samples are in samples.jsonl."""
    settings.samples_file(folder, stream).unlink(missing_ok=True)
    settings.record_file(folder, stream).unlink(missing_ok=True)
