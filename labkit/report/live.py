"""What a live probe stream says right now. Pure: samples in, a view out; memory does not grow with time.

Instants are on the samples' clock. As in a summary, a good answer counts when it was whole, a failure when its
request was scheduled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from labkit.measure.prober.sample import Sample
from labkit.measure.prober.summary import QUIET_S, quantiles

SECONDS = 60
"""How far back a view looks, in buckets of one second."""

_RECENT_S = 10
"""Window of the quantiles and of which replica answers."""


@dataclass
class Bucket:
    """One second of a stream, by scheduled time."""

    second: int
    latencies_s: list[float] = field(default_factory=list)
    """Of good answers."""
    failures: Counter[str] = field(default_factory=Counter)
    """Outcome -> requests."""
    replicas: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Spell:
    """A time without the service, as a client saw it; `end_s` is None while it lasts."""

    begin_s: float
    end_s: float | None
    failures: int

    def length_s(self, now_s: float) -> float:
        """Its length so far, in seconds."""
        return (now_s if self.end_s is None else self.end_s) - self.begin_s


@dataclass(frozen=True)
class View:
    """A stream at one instant."""

    name: str
    now_s: float
    answering: bool
    """There was a good answer, and no outage is under way."""
    requests: int
    failed: int
    """Since the beginning."""
    outcomes: Mapping[str, int]
    """Outcome -> failed requests since the beginning."""
    p50_ms: float | None
    p99_ms: float | None
    """Latency over the last 10 s, from the scheduled time; None without a good answer in it."""
    replicas: Mapping[str, int]
    """Replica -> good answers over the last 10 s."""
    outage: Spell | None
    """The newest."""
    buckets: tuple[Bucket | None, ...]
    """The last 60 whole seconds, oldest first; None where nothing was scheduled."""


class LiveStream:
    """Takes a stream's samples in the order in which their outcomes are known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._buckets: deque[Bucket] = deque()
        self._good: deque[float] = deque()
        self._requests, self._outcomes = 0, Counter[str]()
        self._outage: Spell | None = None
        self._first_failure_s = self._last_failure_s = float("-inf")

    def add(self, sample: Sample) -> None:
        """Take one more sample."""
        bucket = self._bucket(int(sample.scheduled_s))
        self._requests += 1
        if sample.good:
            bucket.latencies_s.append(sample.latency_s)
            bucket.replicas[sample.replica] += 1
            self._note_good(sample.done_s)
        elif sample.failed:
            bucket.failures[sample.outcome] += 1
            self._outcomes[sample.outcome] += 1
            self._note_failure(sample.scheduled_s)

    def view(self, now_s: float) -> View:
        """The stream as it is at this instant."""
        by_second = {bucket.second: bucket for bucket in self._buckets}
        recent = [bucket for bucket in self._buckets if bucket.second >= now_s - _RECENT_S]
        latency = quantiles(value for bucket in recent for value in bucket.latencies_s)
        replicas: Counter[str] = Counter()
        for bucket in recent:
            replicas.update(bucket.replicas)
        last = int(now_s)
        return View(
            name=self.name,
            now_s=now_s,
            answering=bool(self._good) and (self._outage is None or self._outage.end_s is not None),
            requests=self._requests,
            failed=self._outcomes.total(),
            outcomes=dict(self._outcomes),
            p50_ms=latency.p50_s * 1000 if latency else None,
            p99_ms=latency.p99_s * 1000 if latency else None,
            replicas=dict(sorted(replicas.items())),
            outage=self._outage,
            buckets=tuple(by_second.get(second) for second in range(last - SECONDS, last)),
        )

    def _bucket(self, second: int) -> Bucket:
        for bucket in reversed(self._buckets):
            if bucket.second == second:
                return bucket
            if bucket.second < second:
                break
        new = Bucket(second)
        self._buckets.append(new)
        # A late outcome may open an older second than the newest.
        if len(self._buckets) > 1 and self._buckets[-2].second > second:
            self._buckets = deque(sorted(self._buckets, key=lambda one: one.second))
        while self._buckets[0].second < self._buckets[-1].second - SECONDS:
            self._buckets.popleft()
        return new

    def _note_good(self, done_s: float) -> None:
        self._good.append(done_s)
        while self._good[0] < done_s - QUIET_S and len(self._good) > 1:
            self._good.popleft()
        outage = self._outage
        if outage is not None and outage.end_s is None and done_s > self._last_failure_s:
            self._outage = Spell(outage.begin_s, done_s, outage.failures)

    def _note_failure(self, at_s: float) -> None:
        outage = self._outage
        if outage is not None and outage.end_s is not None and at_s > outage.end_s + QUIET_S:
            outage = None
        self._last_failure_s = max(self._last_failure_s, at_s)
        good = list(self._good)
        begin_s = outage.begin_s if outage else at_s
        # A request that ran into its deadline may have been asked before one that was refused.
        if outage is None or at_s < self._first_failure_s:
            self._first_failure_s = at_s
            before = bisect_right(good, at_s)
            begin_s = good[before - 1] if before else at_s
        after = good[bisect_right(good, self._last_failure_s) :]
        failures = outage.failures if outage else 0
        self._outage = Spell(begin_s, after[0] if after else None, failures + 1)
