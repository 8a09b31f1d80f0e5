"""Lines of samples: written as they come, read one by one, damage told from a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure.prober import sample
from labkit.measure.prober._schedule import schedule
from labkit.measure.prober.sample import COLUMNS, KINDS, OUTCOMES, Sample, line, parse, read
from labkit.system.errors import LabError

INSTANTS = st.floats(0, 1e6).map(lambda value: round(value, 6))
SAMPLES = st.builds(
    Sample,
    stream=st.text(max_size=20),
    kind=st.sampled_from(KINDS),
    seq=st.integers(0, 2**53),
    scheduled_s=INSTANTS,
    sent_s=st.none() | INSTANTS,
    first_byte_s=st.none() | INSTANTS,
    done_s=INSTANTS,
    outcome=st.sampled_from(sorted(OUTCOMES)),
    status=st.none() | st.integers(100, 599),
    replica=st.text(max_size=20),
    server=st.text(max_size=20),
    detail=st.text(max_size=20),
    connect_us=st.none() | st.integers(0, 10**7),
)
ONE = Sample("s", "read", 1, 0.02, 0.0201, 0.024, 0.0241, "ok", 200, "vm-1", "server-1")


@given(SAMPLES)
def test_a_sample_survives_its_line(one: Sample) -> None:
    """Written and read, it is the same to the microsecond, whatever the texts hold; and it is one line."""
    text = line(one)
    assert parse(text) == one
    assert text.count("\n") == 1


@given(SAMPLES)
def test_a_line_of_an_earlier_version_is_read(one: Sample) -> None:
    """Runs are kept: their samples had no `connect_us`, and have none now."""
    before = json.dumps(json.loads(line(one))[:12])
    assert parse(before) == one._replace(connect_us=None)


def test_a_truncated_last_line_is_left_out(tmp_path: Path) -> None:
    """Wherever a kill cut the last line, the lines before it are all there."""
    whole, cut = line(ONE) * 3, line(ONE)
    file = tmp_path / "samples.jsonl"
    for end in range(len(cut)):
        file.write_text(whole + cut[:end], encoding="utf-8")
        assert list(read(file)) == [ONE] * 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}\n", "not an array of the 13 columns"),
        ("[1,2]\n", "not an array"),
        ("nonsense\n", "Expecting value"),
        ("\n", "Expecting value"),
        (line(ONE)[:-14] + "\n", "Invalid control character"),
        (line(ONE._replace(kind="look")), "kind 'look' is none of read, write"),
        (line(ONE._replace(outcome="fine")), "outcome 'fine' is none of ok, refused"),
        (line(ONE._replace(done_s="1")), "done_s '1' must be a number"),  # type: ignore[arg-type]
        (line(ONE._replace(status="1")), "status '1' must be a number or null"),  # type: ignore[arg-type]
        (line(ONE._replace(seq=True)), "seq True must be a number"),
        (line(ONE._replace(replica=None)), "replica None must be text"),  # type: ignore[arg-type]
    ],
)
def test_an_edited_line_is_refused_with_its_number(text: str, problem: str, tmp_path: Path) -> None:
    """File, line and reason are in the message; the last whole line is no exception."""
    file = tmp_path / "samples.jsonl"
    file.write_text(line(ONE) + text, encoding="utf-8")
    with pytest.raises(LabError, match=f"line 2 is no sample: .*({problem})"):
        list(read(file))


def test_files_of_samples_may_be_joined(tmp_path: Path) -> None:
    """Lines stand for themselves, moved to another clock if need be."""
    file = tmp_path / "samples.jsonl"
    assert sample.write([ONE, ONE._replace(stream="t")], file) == 2
    assert sample.write((one.shifted(10.0) for one in list(read(file))), file) == 2
    found = list(read(file))
    assert [one.stream for one in found] == ["s", "t", "s", "t"]
    assert found[2] == ONE._replace(scheduled_s=10.02, sent_s=10.0201, first_byte_s=10.024, done_s=10.0241)
    assert ONE._replace(sent_s=None, first_byte_s=None).shifted(1.0).sent_s is None


def test_a_line_is_compact() -> None:
    """A million samples of an hour's probing stay below 120 MB."""
    typical = Sample("vm-3", "read", 123456, *(3456.123456,) * 4, "ok", 200, "container-1", "server-1", "", 1234)
    assert len(line(typical)) < 120
    assert len(COLUMNS) == 13


def test_requests_leave_on_multiples_of_their_period() -> None:
    """50 reads and 10 writes a second for 0.2 s, writes in the middle of their period, all in order."""
    due = list(schedule(50, 10, 0.2))
    assert [round(one.scheduled_s, 6) for one in due if one.kind == "read"] == [k / 50 for k in range(10)]
    assert [round(one.scheduled_s, 6) for one in due if one.kind == "write"] == [0.05, 0.15]
    assert due == sorted(due)


@given(st.floats(0.01, 2000), st.floats(0.1, 20))
def test_a_schedule_does_not_drift(per_s: float, duration_s: float) -> None:
    """The last request is where its number says, and there are as many as fit."""
    *_, last = schedule(per_s, 0, duration_s)
    assert last.scheduled_s == last.seq / per_s < duration_s <= (last.seq + 1) / per_s + 1e-9
