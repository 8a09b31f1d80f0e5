"""A live view says what the samples say: latency, outage, who answers, in constant memory."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from labkit.measure.prober import summary
from labkit.measure.prober.sample import Sample
from labkit.report import live_view
from labkit.report.live import SECONDS, Bucket, LiveStream


def sample(at_s: float, outcome: str = "ok", latency_s: float = 0.005, replica: str = "vm-1") -> Sample:
    """A read that was sent on time."""
    good = outcome == "ok"
    return Sample("vm", "read", 0, at_s, at_s, None, at_s + latency_s, outcome, 200, replica if good else "")


def stream(samples: Iterable[Sample]) -> LiveStream:
    """A stream that has taken these, in the order in which their outcomes were known."""
    found = LiveStream("vm")
    for one in sorted(samples, key=lambda one: one.done_s):
        found.add(one)
    return found


def test_a_calm_stream_has_no_outage() -> None:
    """Latency quantiles over the last 10 s, the replica by name."""
    view = stream(sample(tick / 10, latency_s=0.004 + (tick % 2) / 1000) for tick in range(200)).view(20.0)
    assert (view.answering, view.failed, view.outage) == (True, 0, None)
    assert view.p50_ms == pytest.approx(4.0)
    assert view.p99_ms == pytest.approx(5.0)
    assert view.replicas == {"vm-1": 100}
    assert live_view.line(view) == (
        "    20 s  vm          p50    4.0 ms  p99    5.0 ms  failed 0 of 200  outage: none  answers: vm-1"
    )


def test_an_outage_lasts_until_a_good_answer() -> None:
    """While it lasts nobody answers; afterwards its length and how long ago it was."""
    before = [sample(tick / 10) for tick in range(50)]
    during = [sample(5 + tick / 10, "refused", 0.001) for tick in range(20)]
    lasting = stream([*before, *during]).view(7.0)
    assert not lasting.answering
    assert live_view.who(lasting) == "nobody"
    assert live_view.outage(lasting) == "2.1 s and lasting"
    over = stream([*before, *during, *(sample(7 + tick / 10, replica="vm-2") for tick in range(20))]).view(9.0)
    assert over.answering
    assert live_view.outage(over) == "2.10 s, 2 s ago"
    assert over.outcomes == {"refused": 20}
    assert live_view.who(over) == "vm-1 71%, vm-2 29%"


def test_what_fails_again_within_10_s_is_the_same_outage() -> None:
    """As an outage is defined; later it is another one."""
    again = [*(sample(tick) for tick in range(3)), sample(3, "refused"), sample(4), sample(5, "refused"), sample(6)]
    view = stream(again).view(7.0)
    assert view.outage is not None
    assert (view.outage.begin_s, view.outage.end_s, view.outage.failures) == (2.005, 6.005, 2)
    later = stream([*again, *(sample(tick) for tick in range(7, 30)), sample(30, "refused"), sample(31)]).view(32.0)
    assert later.outage is not None
    assert (later.outage.begin_s, later.outage.failures) == (29.005, 1)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.002, 0.3, 0.99])), min_size=1, max_size=40))
def test_one_fault_is_told_as_the_summary_tells_it(middle: list[tuple[bool, float]]) -> None:
    """Whatever the order of outcomes: the finished outage is that of labkit.measure.prober.summary."""
    begin, end = 5.0, 5.0 + len(middle) / 10
    samples = [sample(tick / 10) for tick in range(50)]
    samples += [sample(begin + n / 10, "ok" if good else "deadline", wait) for n, (good, wait) in enumerate(middle)]
    samples += [sample(end + tick / 10) for tick in range(150)]
    failures = [one.scheduled_s for one in samples if one.failed]
    spell = stream(samples).view(end + 15).outage
    if not failures:
        assert spell is None
        return
    expected = summary.outage(samples, failures[0])
    assert spell is not None
    assert spell.end_s is not None
    assert spell.begin_s == pytest.approx(expected.last_good_s)
    assert spell.end_s == pytest.approx(expected.first_lasting_s)
    assert spell.failures == len(failures)


def test_memory_does_not_grow_with_time() -> None:
    """Only the last minute is kept; a view has a bucket a second."""
    found = stream(sample(float(tick)) for tick in range(500))
    assert len(found._buckets) <= SECONDS + 1
    assert len(found._good) <= 12
    assert len(found.view(500.0).buckets) == SECONDS


def test_the_sparkline_has_a_sign_a_second() -> None:
    """Logarithmic from 1 ms to 1 s; a second with a failure shows as such."""
    failed = Bucket(3)
    failed.failures["refused"] = 1
    buckets = [None, Bucket(1, [0.0005]), Bucket(2, [0.03, 0.001]), Bucket(2, [5.0]), failed]
    assert live_view.sparkline(buckets).plain == " ▁▄█✗"


def test_the_table_names_both_sides() -> None:
    """And the banner, where the CPU is emulated; it fits 80 columns."""
    view = stream(sample(tick / 10) for tick in range(50)).view(5.0)
    screen = Console(file=io.StringIO(), width=80, color_system=None)
    screen.print(live_view.table([view, view], banner="EMULATED CPU (TCG)", closing="q: quit"))
    assert isinstance(screen.file, io.StringIO)
    told = screen.file.getvalue()
    assert told.startswith("EMULATED CPU (TCG)")
    assert told.count("vm-1") == 2
    assert max(len(line.rstrip()) for line in told.splitlines()) <= 80
