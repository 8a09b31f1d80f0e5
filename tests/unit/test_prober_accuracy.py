"""What the prober says of a server whose delays are known."""

from __future__ import annotations

import asyncio
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from labkit.measure.prober import _timing, sample
from labkit.measure.prober.handle import probing
from labkit.measure.prober.reference import reference
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import summarise, within
from labkit.system.paths import CHECKOUT

STALL_S = 1.4

pytestmark = pytest.mark.slow


def test_samples_lie_around_what_the_server_saw(tmp_path: Path) -> None:
    """No request is seen before it was sent, none is answered before its delay: one clock in both processes."""
    delay_s = 0.25
    with reference(delay_s) as server:
        settings = Settings([server.url], tmp_path, reads_per_s=50, writes_per_s=0, duration_s=2, deadline_s=20)
        with probing(settings) as prober:
            prober.wait_end(60)
        there = sorted(prober.at(there) for there, _ in server.seen)
    found = list(prober.result.samples())
    sent = sorted(one.sent_s for one in found if one.sent_s is not None)
    first = sorted(one.first_byte_s for one in found if one.first_byte_s is not None)
    assert len(sent) == len(there) == len(first) == 100
    microsecond = 1e-6
    assert all(earlier <= later + microsecond for earlier, later in zip(sent, there, strict=True))
    assert all(at + delay_s <= answered + microsecond for at, answered in zip(there, first, strict=True))
    assert all(one.scheduled_s <= (one.sent_s or 0) + microsecond for one in found)
    assert all((one.sent_s or 0) <= (one.first_byte_s or 0) <= one.done_s for one in found)
    assert delay_s <= statistics.median(one.latency_s for one in found) < 2 * delay_s


def test_connecting_is_told_apart_from_the_answer(tmp_path: Path) -> None:
    """Kernels connect at once, however long the service takes; of a port that answers nothing there is no such time."""
    with reference(0.25) as server:
        settings = Settings([server.url], tmp_path, reads_per_s=50, writes_per_s=0, duration_s=1, deadline_s=20)
        with probing(settings) as prober:
            prober.wait_end(60)
    found = list(prober.result.samples())
    assert all(one.connect_us is not None and one.connect_us > 0 for one in found)
    assert statistics.median(one.connect_us or 0 for one in found) < 100_000
    nobody = "http://127.0.0.1:1"
    refused = Settings([nobody], tmp_path, "refused", reads_per_s=50, writes_per_s=0, duration_s=0.1, deadline_s=20)
    with probing(refused, good_within_s=None) as prober:
        prober.wait_end(60)
    assert {(one.outcome, one.connect_us) for one in prober.result.samples()} == {("refused", None)}


def test_timers_are_not_rounded_to_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is asked to wait for what is left of 300 microseconds, and then not to wait at all."""
    asked: list[float | None] = []
    waits = select.select

    def note(*words: Any) -> Any:
        asked.append(words[-1])
        return waits(*words)

    async def wait() -> None:
        await asyncio.sleep(0.0003)

    monkeypatch.setattr(_timing, "select", note)
    with asyncio.Runner(loop_factory=_timing.loop) as runner:
        runner.run(wait())
    assert asked
    assert all(one is not None and 0 < one <= 0.0003 for one in asked)


def test_a_stall_shows_as_such(tmp_path: Path) -> None:
    """1.4 s without answers are in p99, maximum and gap; a closed loop has it in one request, and not in its p99."""
    with reference(0.005) as server:
        settings = Settings([server.url], tmp_path, reads_per_s=100, writes_per_s=0, duration_s=5, deadline_s=20)
        with probing(settings) as prober:
            time.sleep(1)
            begun_s = prober.at(server.stall(STALL_S))
            prober.wait_end(60)
        found = summarise(prober.result.samples())
    assert found.latency is not None
    assert found.closed_loop is not None
    assert (found.requests, found.good) == (500, 500)
    assert found.latency.max_s >= STALL_S - 0.1
    assert found.latency.p99_s >= STALL_S - 0.1
    assert found.longest_gap_s >= STALL_S - 0.1
    during = within(prober.result.samples(), from_s=begun_s, to_s=begun_s + STALL_S)
    assert sum(one.done_s >= begun_s + STALL_S for one in during) >= len(during) - 1
    assert found.closed_loop.max_s >= STALL_S - 0.1
    assert found.closed_loop.p99_s < found.latency.p99_s / 2


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    """With a wall clock that leaps an hour at each look, the samples are those of two steady seconds."""
    jumping = (
        "import itertools, runpy, sys, time\n"
        "hours = itertools.cycle((0, 3600, -3600))\n"
        "real, real_ns = time.time, time.time_ns\n"
        "time.time = lambda: real() + next(hours)\n"
        "time.time_ns = lambda: real_ns() + next(hours) * 10**9\n"
        "runpy.run_module('labkit.measure.prober', run_name='__main__', alter_sys=True)\n"
    )
    with reference() as server:
        settings = f'{{"urls": ["{server.url}"], "folder": "{tmp_path}", "duration_s": 2, "deadline_s": 20}}'
        subprocess.run([sys.executable, "-c", jumping, settings], cwd=CHECKOUT, timeout=60, check=True)
    found = list(sample.read(tmp_path / "probe.jsonl"))
    assert len(found) == 2 * 50 + 2 * 10
    assert all(one.good and 0 <= one.scheduled_s <= one.done_s < 60 for one in found)
    outcomes_s = [one.done_s for one in found]
    assert outcomes_s == sorted(outcomes_s)
