"""Probe streams join the run's samples, on the run's clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labkit.measure._conduct import Conductor
from labkit.measure.experiment import Place, Seen, Turn
from labkit.measure.prober import record, sample, settings
from labkit.measure.prober.sample import Sample
from labkit.runs import run_folder
from labkit.system.errors import LabError
from tests.unit.lab_fakes import FakeLab, empty_run

FIRST = Sample("vm-1", "read", 0, 0.0, 0.001, 0.01, 0.02, "ok", 200, "vm-1", "server-1")


def _probe(folder: Path, stream: str, began_s: float) -> None:
    noted = record.Record(stream, "c", began_s, "2026-01-01T00:00:00+0000", 1, "normal", "", {}, state="complete")
    noted.save(settings.record_file(folder, stream))
    sample.write([FIRST._replace(stream=stream)], settings.samples_file(folder, stream))


def test_each_repeats_stream_joins_the_samples_on_the_clock_of_the_run(tmp_path: Path) -> None:
    """Shifted by when its prober began; its own files go; what the prober noted stays with the repeat."""
    lab = FakeLab(tmp_path)

    def measure(place: Place, turn: Turn) -> Seen:
        stream = f"{turn.side}-{turn.number}"
        _probe(place.folder, stream, lab.now_s + 10)
        return Seen({"outage_s": 1.0}, stream=stream)

    experiment = replace(lab.experiment("update", 1), measure=measure)
    run = Conductor(lab.place, empty_run(), lab.hands).conduct([experiment])
    repeats = run.experiments[0].repeats
    samples = list(sample.read(tmp_path / run_folder.SAMPLES))
    assert [one.stream for one in samples] == [one.stream for one in repeats]
    assert all(one.scheduled_s >= 10 for one in samples)
    assert [one.scheduled_s for one in samples] == sorted(one.scheduled_s for one in samples)
    assert run.samples == len(repeats) == 4
    assert all(one.facts["prober"]["state"] == "complete" for one in repeats)
    assert sorted(file.name for file in tmp_path.iterdir()) == [run_folder.RUN, run_folder.SAMPLES]
    assert run_folder.load(tmp_path) == run


def test_a_stream_that_is_not_there_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    """The repeats before it stay."""
    lab = FakeLab(tmp_path)

    def measure(place: Place, turn: Turn) -> Seen:
        if turn.number == 0:
            return Seen({"outage_s": 1.0})
        return Seen({"outage_s": 1.0}, stream="gone")

    with pytest.raises(LabError, match="no prober ever ran here"):
        Conductor(lab.place, empty_run(), lab.hands).conduct([replace(lab.experiment("update"), measure=measure)])
    run = run_folder.load(tmp_path)
    assert (run.experiments[0].state, len(run.experiments[0].repeats)) == ("failed", 2)
