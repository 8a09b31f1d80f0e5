"""Numbers out of samples: definitions on examples that one can work out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure.prober.sample import Sample
from labkit.measure.prober.summary import outage, quantiles, summarise, within


def ok(at_s: float, latency_s: float = 0.005, late_s: float = 0.0, kind: str = "read") -> Sample:
    """A good answer to a request scheduled at `at_s`."""
    done_s = at_s + latency_s
    return Sample("s", kind, round(at_s * 1000), at_s, at_s + late_s, done_s, done_s, "ok", 200, "vm-1", "server-1")


def bad(at_s: float, outcome: str = "refused", after_s: float = 0.001) -> Sample:
    """A failure of a request scheduled at `at_s`."""
    sent_s = None if outcome == "unsent" else at_s
    return Sample("s", "read", round(at_s * 1000), at_s, sent_s, None, at_s + after_s, outcome)


def every(begin_s: float, end_s: float, make: Callable[[float], Sample], per_s: int = 50) -> list[Sample]:
    """Requests on a clock."""
    return [make(k / per_s) for k in range(round(begin_s * per_s), round(end_s * per_s))]


def test_an_outage_runs_from_the_last_good_answer_to_the_first_lasting_one() -> None:
    """Fault at 5.0, refused from 5.0 to 8.0: last good 4.985, first good 8.005."""
    found = outage([*every(0, 5, ok), *every(5, 8, bad), *every(8, 20, ok)], 5.0)
    assert found.outage_s == pytest.approx(8.005 - 4.985)
    assert (found.failures, found.problem) == (150, "")


def test_a_good_answer_that_does_not_last_ends_no_outage() -> None:
    """Good again at 8, failing once at 12, good from 12.02: the outage lasts until then."""
    samples = [*every(0, 5, ok), *every(5, 8, bad), *every(8, 12, ok), bad(12.0), *every(12.02, 30, ok)]
    assert outage(samples, 5.0).first_lasting_s == pytest.approx(12.025)
    assert outage(samples, 5.0, quiet_s=3.0).first_lasting_s == pytest.approx(8.005)


def test_a_failure_counts_when_its_request_was_scheduled() -> None:
    """A black hole until 8.0 whose last deadline passes at 8.98: the good answers since 8.0 are lasting."""
    hole = every(5, 8, lambda at_s: bad(at_s, "deadline", 1.0))
    assert outage([*every(0, 5, ok), *hole, *every(8, 20, ok)], 5.0).first_lasting_s == pytest.approx(8.005)


def test_a_fault_that_nobody_notices_gives_the_resolution() -> None:
    """Good answers every 20 ms all along: 20 ms."""
    assert outage(every(0, 20, ok), 5.0).outage_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("failing_at", "expected", "vain"),
    [([3.0], (3.0, 4.0), 1), ([2.5, 4.0], (2.0, 5.0), 2), ([2.5, 3.5], (2.0, 4.0), 2)],
    ids=["the fault at a good answer", "a later failure at a good answer", "between them"],
)
def test_a_failure_at_the_instant_of_a_good_answer_came_after_it(
    failing_at: list[float], expected: tuple[float, float], vain: int
) -> None:
    """It neither lets that answer end the outage nor goes uncounted."""
    good = [ok(at - 0.5, latency_s=0.5) for at in range(1, 20)]
    found = outage([*good, *(bad(at) for at in failing_at)], failing_at[0])
    assert (found.last_good_s, found.first_lasting_s, found.failures) == (*expected, vain)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (every(5, 8, bad), "no good answer before the fault"),
        ([*every(0, 5, ok), *every(5, 8, bad)], "no good answer followed by 10 s without a failure"),
        ([*every(0, 5, ok), *every(5, 8, bad), *every(8, 12, ok)], "probing ended 4.0 s after the first good answer"),
    ],
)
def test_an_outage_that_was_not_seen_whole_is_no_number(samples: list[Sample], problem: str) -> None:
    """The reason stands in its place."""
    found = outage(samples, 5.0)
    assert found.outage_s is None
    assert found.problem.startswith(problem)


def test_what_the_prober_did_not_send_is_no_failure() -> None:
    """Requests that were never sent neither lengthen an outage nor count as lost; they make the window late."""
    samples = [*every(0, 5, ok), *every(5, 8, bad), *every(8, 9, ok), bad(9, "unsent", 1.5), *every(9.02, 20, ok)]
    assert outage(samples, 5.0).outage_s == pytest.approx(8.005 - 4.985)
    found = summarise([ok(0), bad(0.02, "unsent", 1.5)])
    assert (found.failed, found.unsent, found.late) == (0, 1, True)


def test_a_closed_loop_hides_a_stall() -> None:
    """100/s for 10 s, 5 ms each, but nothing is answered from 5.0 to 6.4: p99 1.3 s open, 5 ms closed."""

    def stalled(at_s: float) -> Sample:
        return ok(at_s, 6.405 - at_s if 5 <= at_s < 6.4 else 0.005)

    found = summarise(every(0, 10, stalled, 100))
    assert found.latency is not None
    assert found.closed_loop is not None
    assert found.latency.p99_s == pytest.approx(1.305)
    assert found.closed_loop.p99_s == pytest.approx(0.005)
    assert found.latency.p99_s > 200 * found.closed_loop.p99_s
    assert found.latency.max_s == pytest.approx(1.405)
    assert found.closed_loop.n == 1000 - 140
    assert found.longest_gap_s == pytest.approx(1.41)


def test_latency_counts_from_the_schedule_and_lateness_is_apart() -> None:
    """Sent 30 ms late and answered 5 ms later: latency 35 ms, scheduling error 30 ms, marked."""
    found = summarise([ok(0.0, 0.035, late_s=0.030)])
    assert found.latency is not None
    assert found.scheduling is not None
    assert found.latency.max_s == pytest.approx(0.035)
    assert found.scheduling.max_s == pytest.approx(0.030)
    assert found.marks == ("late prober: p99 scheduling error 30 ms, more than 20 ms",)


def test_one_late_request_in_a_hundred_is_not_a_late_window() -> None:
    """The mark is for the p99, not for the maximum."""
    found = summarise([*every(0, 2, ok), ok(2, 0.5, late_s=0.4)])
    assert (found.late, found.marks) == (False, ())


def test_outcomes_and_replicas_are_counted() -> None:
    """Failures by their names, good answers by who gave them."""
    found = summarise([ok(0), ok(1, kind="write"), bad(2), bad(3), bad(4, "half"), bad(5, "local")])
    assert found.outcomes == {"half": 1, "local": 1, "refused": 2}
    assert (found.requests, found.good, found.failed, found.unsent) == (6, 2, 3, 1)
    assert found.replicas == {"vm-1": 2}


def test_gaps_at_both_ends_count() -> None:
    """First answer at 3.005, last at 5.005, last failure at 10.001."""
    assert summarise([bad(0), ok(3), ok(5), bad(10)]).longest_gap_s == pytest.approx(10.001 - 5.005)


def test_nothing_gives_nothing() -> None:
    """No samples, no numbers, no error."""
    found = summarise([])
    assert (found.requests, found.latency, found.scheduling, found.longest_gap_s, found.late) == (
        0,
        None,
        None,
        0,
        False,
    )


def test_a_window_is_cut_by_scheduled_time_and_kind() -> None:
    """From inclusive, to exclusive."""
    samples = [ok(1), ok(2), ok(2, kind="write"), ok(3)]
    assert [one.scheduled_s for one in within(samples, "read", from_s=1, to_s=3)] == [1, 2]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.randoms())
def test_quantiles_are_values_that_occurred(values: list[float], random: object) -> None:
    """At least the named share of all values does not exceed the quantile, and fewer are below it."""
    found = quantiles(values)
    assert found is not None
    for share, value in ((0.5, found.p50_s), (0.9, found.p90_s), (0.99, found.p99_s), (1.0, found.max_s)):
        assert value in values
        assert sum(one <= value for one in values) >= math.ceil(share * len(values) - 1e-9)
        assert sum(one < value for one in values) < share * len(values) + 1e-9


def test_samples_may_be_streamed() -> None:
    """A summary reads its samples once."""
    once: Iterable[Sample] = (ok(k / 50) for k in range(100))
    assert summarise(once).good == 100
