"""A file of samples becomes columns of pixels: nothing that failed and no extreme is lost."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from labkit.report import streams
from labkit.system.errors import LabError


def line(seq: int, scheduled: float, took: float, outcome: str = "ok", kind: str = "read") -> str:
    """A sample as the prober writes it."""
    row: list[Any] = ["s", kind, seq, scheduled, scheduled, None, scheduled + took, outcome, 200, "r", "s", ""]
    return json.dumps(row) + "\n"


def test_extremes_and_failures_survive(tmp_path: Path) -> None:
    """One slow answer among many thousands is the most of its column; each failure is counted."""
    file = tmp_path / "samples.jsonl"
    rows = [line(n, n * 0.001, 0.002) for n in range(30_000)]
    rows[17_123] = line(17_123, 17.123, 1.4)
    rows[20_000] = line(20_000, 20.0, 0.001, "refused")
    rows[20_001] = line(20_001, 20.001, 0.001, "refused")
    rows[25_000] = line(25_000, 25.0, 0.001, "unsent")
    file.write_text("".join(rows), encoding="utf-8")
    (one,) = streams.read(file, ["s"])
    slow = max(one.columns, key=lambda column: column.most_ms)
    assert slow.most_ms == pytest.approx(1400, rel=1e-3)
    assert slow.at_s == pytest.approx(17.123, abs=0.1)
    assert slow.least_ms == pytest.approx(2, rel=1e-3)
    assert [(failure.outcome, failure.count) for failure in one.failures] == [("refused", 2)]
    assert (one.sent, one.failed, dict(one.kinds[0].outcomes)) == (30_000, 2, {"refused": 2, "unsent": 1})


def test_where_nothing_answered_there_is_a_gap(tmp_path: Path) -> None:
    """An outage is a hole, not a line across it."""
    file = tmp_path / "samples.jsonl"
    file.write_text(
        "".join(line(n, n * 0.1, 0.002, "deadline" if 300 <= n < 600 else "ok") for n in range(1000)), encoding="utf-8"
    )
    (one,) = streams.read(file, ["s"])
    hole = [column.at_s for column in one.columns if math.isnan(column.least_ms)]
    assert min(hole) == pytest.approx(30, abs=0.5)
    assert max(hole) == pytest.approx(60, abs=0.5)


def test_kinds_have_their_own_figures(tmp_path: Path) -> None:
    """Writes wait for the disk, so they are not mixed with reads."""
    file = tmp_path / "samples.jsonl"
    file.write_text(
        "".join(line(n, n * 0.1, 0.01 if n % 2 else 0.002, kind=("read", "write")[n % 2]) for n in range(40)),
        encoding="utf-8",
    )
    (one,) = streams.read(file, ["s", "absent"])
    assert {kind.name: round(kind.median_ms, 3) for kind in one.kinds} == {"read": 2.0, "write": 10.0}


def test_a_killed_prober_leaves_half_a_line(tmp_path: Path) -> None:
    """It is left out."""
    file = tmp_path / "samples.jsonl"
    file.write_text(line(0, 0.0, 0.1) + line(1, 0.1, 0.1) + '["s","re', encoding="utf-8")
    (one,) = streams.read(file, ["s"])
    assert one.sent == 2


@pytest.mark.parametrize(
    "bad", ["no json\n", '{"a": 1}\n', '["s", "read"]\n', line(0, 0.0, 0.1).replace("0.1,", '"x",')]
)
def test_what_is_no_sample_is_refused_by_line(tmp_path: Path, bad: str) -> None:
    """With the file and the number of the line."""
    file = tmp_path / "samples.jsonl"
    file.write_text(line(0, 0.0, 0.1) * 25_000 + bad + line(0, 0.0, 0.1), encoding="utf-8")
    with pytest.raises(LabError, match=r"samples\.jsonl, line 25001 is no sample"):
        streams.read(file, ["s"])
