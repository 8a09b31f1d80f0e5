"""Both sides' protocol against the real engines: what it says is what the engines and the service say."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import outputs
from labkit.lifecycle import steady
from labkit.measure import clocks, session
from labkit.measure.experiment import Place
from labkit.sides import reach
from labkit.system.progress import Quiet
from tests.engines.real import LAB

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def place(lab: outputs.Contract, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The lab, as an experiment sees it."""
    ready = session.ready()
    folder: Path = tmp_path_factory.mktemp("run")
    return Place(LAB, ready, lab, Quiet(), lambda server: reach.runner(server.reach), folder)


@pytest.mark.parametrize("side", ["vm", "container"])
def test_a_replica_that_was_killed_or_suspended_comes_back_by_start(side: str, place: Place) -> None:
    """Killed it begins anew; suspended it goes on: the service's process tells."""
    replica = place.replica(side)
    what, run = place.side(replica), place.run(replica)
    before = steady.whoami(replica)
    try:
        what.suspend(replica, run)
        assert "does not answer" in steady.wrong(replica, place.contract.service_version, 1.0)
        what.start(replica, run)
        resumed = _answer(place, replica)
        what.kill(replica, run)
        assert "does not answer" in steady.wrong(replica, place.contract.service_version, 1.0)
        what.start(replica, run)
        again = _answer(place, replica)
    finally:
        steady.bring_back(place)
    same = ("boot_id", "pid", "started_at")
    assert [resumed[name] for name in same] == [before[name] for name in same]
    assert again["started_at"] != before["started_at"]


def _answer(place: Place, replica: outputs.Replica) -> dict[str, object]:
    steady.bring_back(place)
    return steady.whoami(replica)


@pytest.mark.parametrize("side", ["vm", "container"])
def test_stats_are_those_of_the_engines(side: str, place: Place) -> None:
    """Limits as configured; memory and CPU time of something that runs."""
    replica = place.replica(side)
    stats = place.side(replica).stats(replica, place.run(replica))
    assert (stats.vcpus, stats.memory_mib) == (place.contract.vcpus, place.contract.memory_mib)
    assert stats.pss_bytes > 2**20
    assert stats.cpu_s > 0


@pytest.mark.parametrize("side", ["vm", "container"])
def test_events_of_the_last_start_are_in_order_and_before_its_service(side: str, place: Place) -> None:
    """On one clock, to within what their sources resolve."""
    replica = place.replica(side)
    run, inside, said = place.run(replica), place.inside(replica), steady.whoami(replica)
    offsets = {
        "server": clocks.offset_s(run, clocks.boot_id(run)),
        "replica": clocks.offset_s(inside, str(said["boot_id"])),
    }
    events = place.side(replica).events(replica, run, inside)
    instants = [one.at_s + offsets[one.clock] for one in events]
    listens = float(said["listening_boottime_s"]) + offsets["replica"]
    assert instants == sorted(instants)
    assert instants[-1] < listens < clocks.boot_s() + 0.1
