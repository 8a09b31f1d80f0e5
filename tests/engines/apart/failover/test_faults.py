"""The lab's faults are struck, measured, watched and undone. Begins where test_cluster has ended."""

from __future__ import annotations

import threading

import pytest

from tests.engines.apart.failover.site import BACK_S, LAB, Failover
from tests.engines.real import command

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]


def test_a_fault_is_struck_by_hand_one_at_a_time_and_undone(site: Failover) -> None:
    """While it is in force nothing is measured; the other side does not notice it."""
    home = {side: site.where(side) for side in ("vm", "container")}
    told = site.tool("fault", LAB, "server-drained", "--side", "container").stdout
    assert f"Struck on the side container ({home['container']})" in told
    assert site.status()["fault"] == {
        "fault": "server-drained",
        "side": "container",
        "servers": [home["container"]],
    }
    for words in (["fault", LAB, "server-killed", "--side", "vm"], ["run", LAB, "service-killed", "--quick"]):
        refused = site.tool(*words, check=False)
        assert refused.returncode == 1
        assert "The fault server-drained is in force on the side container" in refused.stdout
    site.tool("fault", LAB, "--undo")
    assert site.where("container") != home["container"]
    assert site.where("vm") == home["vm"]


def test_a_silent_power_service_is_told_and_started_anew(site: Failover) -> None:
    """It runs, and nobody reaches it: its socket is gone."""
    command(["docker", "exec", f"{site.prefix}power", "rm", "/run/vvc-power/socket"])
    (problem,) = site.status()["problems"]
    assert problem.startswith("The power service does not answer (monitor")
    assert "The power service does not answer" in site.tool("up", LAB).stdout
    assert site.status()["problems"] == []


@pytest.mark.long
def test_watch_tells_of_a_server_that_dies(site: Failover) -> None:
    """Who leads and where replicas run at first; then the fault, the server, the replica's new place, the edge."""
    home = site.where("container")
    strike = threading.Timer(6, site.tool, ("fault", LAB, "server-killed", "--side", "container"))
    strike.start()
    try:
        # It ends with 1 where the other side happens not to answer at its last look.
        told = site.tool("watch", LAB, "--plain", "--seconds", "90", check=False).stdout
        dead = site.status()["dead"]
    finally:
        strike.join(BACK_S)
        site.tool("fault", LAB, "--undo")
    assert dead == [f"{site.prefix}{home}"]
    assert f" leads, container-1 in {home}" in told
    for event in (
        f"struck: the fault server-killed on the side container ({home})",
        f"container   {home} is dead (exited)",
        "container   container-1 runs in server-",
        "container   the edge takes place-",
    ):
        assert event in told, event


def test_up_undoes_what_nobody_could_undo(site: Failover) -> None:
    """As after a KILL: a server that is cut off, and timers that an experiment had set."""
    site.tool("fault", LAB, "server-cut", "--side", "container")
    site.run("server-1", "sed -i 's/token: .*/token: 1000/' /etc/corosync/corosync.conf; corosync-cfgtool -R")
    (site.checkout / ".state" / LAB / "changed").write_text("timers of vm\n", encoding="utf-8")
    site.up()
    assert all("error" not in one["answer"] for one in site.status()["replicas"])
    assert site.run("server-1", "corosync-cmapctl -g totem.token").split()[-1] == "3000"
    assert '"in_force": null' in site.tool("fault", LAB, "--json").stdout


def test_an_outage_is_measured_and_its_parts_sum_to_it(site: Failover) -> None:
    """Of a service and of a server killed, on both sides; nothing acknowledged is lost."""
    run = site.measure("service-killed", "server-killed", "--quick")
    found = {(one["experiment"], one["side"]): one for each in run["experiments"] for one in each["repeats"]}
    assert len(found) == 4
    for (experiment, side), repeat in found.items():
        assert not repeat["problem"]
        parts = {stage["name"]: stage["s"] for stage in repeat["stages"]}
        assert sum(parts.values()) == pytest.approx(repeat["values"]["outage_s"], rel=0.05)
        assert parts.get("unexplained", 0.0) < 0.05 * repeat["values"]["outage_s"], (experiment, side)
        assert ("fence" in parts) == ((experiment, side) == ("server-killed", "vm"))
        assert not repeat["facts"]["ledger"]["lost"]


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", ["replica-killed", "leader-killed", "server-cut", "server-drained", "majority-killed"]
)
def test_each_other_fault_is_overcome_and_undone(site: Failover, fault: str) -> None:
    """Once on each side; the lab is whole after it."""
    (done,) = site.measure(fault, "--quick")["experiments"]
    assert {one["side"] for one in done["repeats"] if not one["problem"]} == {"vm", "container"}
    if fault == "majority-killed":
        answered = {one["side"]: one["values"]["answered_percent"] for one in done["repeats"]}
        assert answered == {"vm": 0.0, "container": 100.0}


@pytest.mark.long
def test_a_split_brain_is_caught_by_the_ledger(site: Failover) -> None:
    """Each copy has entries that the other one has not; the lab's own data and replicas are as they were."""
    home = {side: site.where(side) for side in ("vm", "container")}
    (done,) = site.measure("split-brain", "--quick")["experiments"]
    assert {one["side"] for one in done["repeats"] if not one["problem"]} == {"vm", "container"}
    for repeat in done["repeats"]:
        assert repeat["marks"]
        assert repeat["values"]["writes_only_in_the_first"] > 0
        assert repeat["values"]["writes_only_in_the_second"] > 0
    assert {side: site.where(side) for side in home} == home
    for number in range(1, 7):
        assert site.run(f"server-{number}", "ls /srv/shared; docker ps -a; virsh list --all").count("split") == 0
