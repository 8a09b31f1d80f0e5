"""Each way in which a service can fail has its name; a real prober against a server that fails so."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest

from labkit.measure.prober.handle import Result, probing
from labkit.measure.prober.reference import reference
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import summarise

RATES = {"reads_per_s": 40.0, "writes_per_s": 20.0, "deadline_s": 20.0, "duration_s": 0.5}
EXPECTED = {
    "": "ok",
    "reset": "reset",
    "closed": "closed",
    "black hole": "deadline",
    "slow body": "deadline",
    "half": "half",
    "wrong body": "wrong",
    "wrong status": "wrong",
    "not HTTP": "wrong",
}


pytestmark = pytest.mark.slow


def probe(url: str, folder: Path, **changes: object) -> Result:
    """Half a second of probing, to its end."""
    given = {**RATES, **changes}
    with probing(Settings([url], folder, **given), good_within_s=None) as prober:  # type: ignore[arg-type]
        prober.wait_end(60)
    return prober.result


@pytest.mark.parametrize("fault", EXPECTED)
def test_every_fault_has_its_name(fault: str, tmp_path: Path) -> None:
    """All requests of both kinds have the one outcome; none is missing."""
    with reference(fault=fault) as server:
        # Long where no deadline is expected: a busy machine may delay the server.
        deadline_s = 1.0 if EXPECTED[fault] == "deadline" else 20.0
        found = list(probe(server.url, tmp_path, deadline_s=deadline_s).samples())
    assert {one.outcome for one in found} - {"unsent"} == {EXPECTED[fault]}
    assert Counter(one.kind for one in found) == {"read": 20, "write": 10}
    assert sorted(one.seq for one in found if one.kind == "read") == list(range(20))


def test_a_closed_port_is_refused(tmp_path: Path) -> None:
    """Nobody listens: the kernel says so at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = list(probe(f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path).samples())
    assert {one.outcome for one in found} == {"refused"}
    assert all(one.first_byte_s is None and one.status is None for one in found)


def test_a_slow_body_has_its_head_in_the_sample(tmp_path: Path) -> None:
    """First byte, status and sender are recorded although the deadline came before the end."""
    with reference(fault="slow body") as server:
        found = [one for one in probe(server.url, tmp_path, deadline_s=1.0).samples() if one.outcome == "deadline"]
    seen = [one for one in found if one.status == 200]
    assert seen
    assert all(one.first_byte_s and one.replica == "reference" and one.server == "loopback" for one in seen)
    assert all(one.latency_s >= 1.0 for one in found)


def test_the_wrong_version_is_a_wrong_answer(tmp_path: Path) -> None:
    """What was expected of /whoami is checked in each answer, and said."""
    with reference() as server:
        found = list(probe(server.url, tmp_path, expect={"version": "2"}, writes_per_s=0.0).samples())
    assert {(one.outcome, one.detail) for one in found} == {("wrong", "version is '1', not '2'")}


def test_several_replicas_take_turns(tmp_path: Path) -> None:
    """Half of the requests go to each; one that is dead does not slow the other."""
    with reference() as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}"
        rates = {"deadline_s": 20.0, "writes_per_s": 0.0, "reads_per_s": 40.0, "duration_s": 1.0}
        with probing(Settings([server.url, dead], tmp_path, **rates)) as prober:  # type: ignore[arg-type]
            prober.wait_end(60)
        found = summarise(prober.result.samples())
    assert (found.good + found.failed + found.unsent, found.replicas) == (40, {"reference": found.good})
    assert found.outcomes["refused"] == 20


def test_open_requests_are_bounded_by_rate_times_deadline(tmp_path: Path) -> None:
    """Against a server that never answers no more are open than the deadline lets be."""
    with reference(fault="black hole") as server:
        found = list(probe(server.url, tmp_path, reads_per_s=100.0, writes_per_s=0.0, deadline_s=0.2).samples())
    starts = [(one.scheduled_s, 1) for one in found]
    ends = [(one.scheduled_s + 0.2, -1) for one in found]
    open_now = most = 0
    for _, change in sorted(starts + ends):
        open_now += change
        most = max(most, open_now)
    assert most <= 21
    assert all(one.done_s >= one.scheduled_s + 0.2 for one in found)
