"""Whatever comes, whenever it comes: many faults one after the other, commands that are killed. Begins with any lab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.apart.failover.site import LAB, Failover, write, written
from tests.engines.apart.kills import BOTH, DOWN, UP, Kill, ended_by, works
from tests.engines.real import command
from tests.engines.test_life import traces

pytestmark = [pytest.mark.engine, pytest.mark.long]

HOURS_2 = 2 * 3600
FAULTS = ("server-killed", "leader-killed", "server-cut")
CYCLES = 40
"""Of each fault: together more than a hundred."""

KILLS = [
    Kill("up", "lab", "KILL", "server created", DOWN, "", ""),
    Kill("up", "cli", "KILL", "cluster forming", BOTH, "", ""),
    Kill("up", "worker", "KILL", "cluster forming", BOTH, "", ""),
    Kill("up", "lab", "INT", "task running", DOWN, "", ""),
    Kill("up", "lab", "KILL", "task running", BOTH, "", ""),
    Kill("down", "cli", "KILL", "server stopping", DOWN, "", ""),
    Kill("down", "lab", "KILL", "server gone", BOTH, "", ""),
]


@pytest.fixture(scope="module", autouse=True)
def up_again(site: Failover) -> Iterator[None]:
    """Whoever comes next finds the lab up."""
    yield
    site.up()


@pytest.mark.timeout(HOURS_2)
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_at_random_instants_lose_nothing(site: Failover, fault: str) -> None:
    """By both profiles on both sides: each is overcome and undone, no acknowledged write is lost or doubled."""
    site.up()
    (done,) = site.measure(fault, "--full", within_s=HOURS_2 - 600)["experiments"]
    cycles = done["repeats"]
    assert [one["problem"] for one in cycles if one["problem"]] == []
    assert len(cycles) >= CYCLES
    ledgers = [one["facts"]["ledger"] for one in cycles]
    assert sum(one["acknowledged"] for one in ledgers) > 0
    assert all(not one["lost"] and not one["doubled"] and not one["changed"] for one in ledgers)
    site.tool("down", LAB)
    assert traces(site.checkout) == {}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kill", [pytest.param(one, id=str(one)) for one in KILLS])
def test_after_a_killed_command_the_next_one_works(site: Failover, kill: Kill) -> None:
    """`up` from nothing, `down` of a lab that was up: nothing half made is in the way, and nothing is left."""
    site.tool(*(("up", LAB) if kill.command == "down" else ("down", LAB)))
    ended_by(site, kill)
    works(site, kill.then)
    assert traces(site.checkout) == {}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("victim", ["lab", "cli"])
@pytest.mark.parametrize("event", ["server created", "server started"])
def test_after_a_killed_healing_the_next_up_works(site: Failover, event: str, victim: str) -> None:
    """A server, edge and power service were gone, and `up` was killed while it made them anew: all are back, with the
    data, and nobody is fenced for a former self."""
    site.up()
    client = f"healed-{event.split()[1]}-{victim}"
    write(site, "vm", client, range(1, 4))
    command(["docker", "rm", "-f", *(f"{site.prefix}{name}" for name in ("server-1", "edge", "power"))])
    ended_by(site, Kill("up", victim, "KILL", event, UP, "", ""))
    site.up()
    found = site.status()
    assert all(state == "running" for state in found["servers"].values())
    assert found["problems"] == []
    assert written(site, "vm", client) == [1, 2, 3]
