"""What samples say about a service, and about the prober itself. Pure: samples in, numbers out.

Instants are on the samples' clock. A good answer counts at the instant when it was whole, a failure at the instant
when its request was scheduled: that is when the service was asked in vain.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.measure.prober.sample import Sample

LATE_S = 0.020
"""A window whose p99 scheduling error exceeds this is shown, but not averaged."""
QUIET_S = 10.0
"""An outage is over with the first good answer that is followed by this much time without a failure."""


@dataclass(frozen=True)
class Quantiles:
    """Of n values in seconds; each is a value that occurred (nearest rank), none is interpolated."""

    n: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True)
class Outage:
    """The client's view of a fault."""

    outage_s: float | None
    """Last good answer before the fault to the first lasting good answer after it; None where one is missing."""
    last_good_s: float | None
    first_lasting_s: float | None
    failures: int
    """Requests that failed between the two, or since the last good answer."""
    problem: str = ""
    """Why there is no number."""


@dataclass(frozen=True)
class Summary:
    """One stream in a window of time."""

    requests: int
    good: int
    outcomes: Mapping[str, int]
    """Outcome -> requests, for all that were not good."""
    failed: int
    unsent: int
    """Requests that the prober's own machine did not send: no failures of the service, but a reason for `late`."""
    latency: Quantiles | None
    """Of good answers, from the scheduled time. Read it beside `failed`: what never came has no latency."""
    closed_loop: Quantiles | None
    """What a client that waits for each answer before it asks again would have reported of the same service."""
    longest_gap_s: float
    """Longest time without a good answer, from the first scheduled time to the last outcome."""
    scheduling: Quantiles | None
    """By how much requests left too late."""
    replicas: Mapping[str, int]
    """Replica -> good answers."""

    @property
    def late(self) -> bool:
        """The prober did not keep its clock: p99 of the scheduling error over LATE_S."""
        return self.scheduling is not None and self.scheduling.p99_s > LATE_S

    @property
    def marks(self) -> tuple[str, ...]:
        """Why a repeat with this window is shown but not averaged; for labkit.runs.records.Repeat."""
        if self.scheduling is None or not self.late:
            return ()
        p99_ms = self.scheduling.p99_s * 1000
        return (f"late prober: p99 scheduling error {p99_ms:.0f} ms, more than {LATE_S * 1000:.0f} ms",)


def quantiles(values: Iterable[float]) -> Quantiles | None:
    """Exact quantiles by nearest rank: the smallest value that at least that share of all does not exceed."""
    ordered = sorted(values)
    if not ordered:
        return None
    n = len(ordered)
    p50, p90, p99 = (ordered[max(0, -(-percent * n // 100) - 1)] for percent in (50, 90, 99))
    return Quantiles(n, p50, p90, p99, ordered[-1])


def within(
    samples: Iterable[Sample], kind: str = "", *, from_s: float = -math.inf, to_s: float = math.inf
) -> list[Sample]:
    """The samples of a kind (all if empty) scheduled from `from_s` until before `to_s`."""
    return [one for one in samples if kind in {"", one.kind} and from_s <= one.scheduled_s < to_s]


def summarise(samples: Iterable[Sample]) -> Summary:
    """The summary of a window. Keeps a few numbers a sample, so that the samples themselves may be streamed."""
    sent, done, latency, lateness = (array("d") for _ in range(4))
    outcomes: Counter[str] = Counter()
    replicas: Counter[str] = Counter()
    begin, end, failed = math.inf, -math.inf, 0
    for one in samples:
        begin, end = min(begin, one.scheduled_s), max(end, one.done_s)
        lateness.append(one.late_s)
        failed += one.failed
        if one.good and one.sent_s is not None:
            sent.append(one.sent_s)
            done.append(one.done_s)
            latency.append(one.latency_s)
            replicas[one.replica] += 1
        else:
            outcomes[one.outcome] += 1
    return Summary(
        requests=len(lateness),
        good=len(done),
        outcomes=dict(sorted(outcomes.items())),
        failed=failed,
        unsent=len(lateness) - len(done) - failed,
        latency=quantiles(latency),
        closed_loop=quantiles(_closed_loop(sent, done)),
        longest_gap_s=_longest_gap(sorted(done), begin, end) if lateness else 0.0,
        scheduling=quantiles(lateness),
        replicas=dict(sorted(replicas.items())),
    )


def outage(samples: Iterable[Sample], fault_s: float, quiet_s: float = QUIET_S) -> Outage:
    """The outage around a fault at `fault_s`, after the definition of this module's Outage.

    Without a failure after the fault it is the time between the good answers before and after it: the resolution.
    A request scheduled at the very instant of a good answer came after it: its failure ends nothing and is counted.
    """
    good: list[float] = []
    failures: list[float] = []
    end_s = -math.inf
    for one in samples:
        end_s = max(end_s, one.done_s)
        if one.good:
            good.append(one.done_s)
        elif one.failed:
            failures.append(one.scheduled_s)
    good.sort()
    failures.sort()
    before = bisect_right(good, fault_s)
    if not before:
        return Outage(None, None, None, len(failures), "no good answer before the fault")
    last_good_s = good[before - 1]
    first_s = _first_lasting(good[before:], failures, quiet_s)
    if first_s is None:
        vain = len(failures) - bisect_left(failures, last_good_s)
        return Outage(None, last_good_s, None, vain, f"no good answer followed by {quiet_s:g} s without a failure")
    vain = bisect_left(failures, first_s) - bisect_left(failures, last_good_s)
    if end_s < first_s + quiet_s:
        seen_s = end_s - first_s
        problem = (
            f"probing ended {seen_s:.1f} s after the first good answer; {quiet_s:g} s without a failure are needed"
        )
        return Outage(None, last_good_s, None, vain, problem)
    return Outage(first_s - last_good_s, last_good_s, first_s, vain)


def _first_lasting(good: Sequence[float], failures: Sequence[float], quiet_s: float) -> float | None:
    for at_s in good:
        following = bisect_left(failures, at_s)
        if following == len(failures) or failures[following] > at_s + quiet_s:
            return at_s
    return None


def _closed_loop(sent: Sequence[float], done: Sequence[float]) -> Iterator[float]:
    """Latencies of the requests that such a client would have sent, from when it would have sent them."""
    free_s = -math.inf
    for number in sorted(range(len(sent)), key=sent.__getitem__):
        if sent[number] >= free_s:
            free_s = done[number]
            yield free_s - sent[number]


def _longest_gap(good: Sequence[float], begin_s: float, end_s: float) -> float:
    instants = [begin_s, *good, end_s]
    return max(later - earlier for earlier, later in pairwise(instants))
