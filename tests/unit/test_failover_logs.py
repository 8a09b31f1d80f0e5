"""What the clusters wrote, read: lines as Corosync 3.1.9, Pacemaker 3.0.0, Docker 26.1 and HAProxy 3.0 write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from labkit.measure import edge
from labs.failover import logs
from labs.failover.outage import DETECT, FENCE, PLACE, START, Moment
from labs.failover.sides import vm

NOW = datetime(2026, 11, 27, 18, 40, tzinfo=UTC).timestamp()

COROSYNC = """\
Nov 27 18:16:19.740 notice  [TOTEM ] A new membership (1.d) was formed. Members joined: 2 3
Nov 27 18:31:20.896 notice  [TOTEM ] Token has not been received in 2747 ms
Nov 27 18:31:21.796 notice  [TOTEM ] A processor failed, forming new configuration: token timed out (3650ms), waiting 4380ms for consensus.
Nov 27 18:31:26.180 notice  [QUORUM] Sync members[2]: 1 3
Nov 27 18:31:26.180 notice  [QUORUM] Sync left[1]: 2
Nov 27 18:31:26.180 notice  [TOTEM ] A new membership (1.11) was formed. Members left: 2
Nov 27 18:31:26.180 notice  [TOTEM ] Failed to receive the leave message. failed: 2
Nov 27 18:31:26.184 notice  [QUORUM] Members[2]: 1 3
Nov 27 18:3"""  # noqa: E501 - as they are

PACEMAKER = """\
Nov 27 18:16:41.160 server-1 pacemaker-controld  [600] (log_executor_event) \tnotice: Result of probe operation for vm-1 on server-1: Not running | graph action confirmed; call=8 key=vm-1_monitor_0 rc=7
Nov 27 18:31:27.276 server-1 pacemaker-schedulerd[599] (update_resource_action_runnable) \twarning: vm-1_stop_0 on server-2 is unrunnable (node is offline)
Nov 27 18:31:27.284 server-1 pacemaker-controld  [600] (controld_execute_fence_action) \tnotice: Requesting fencing (off) targeting node server-2 | action=1 timeout=60
Nov 27 18:31:27.344 server-1 pacemaker-fenced    [596] (log_async_result) \tnotice: Operation 'off' [3499] targeting server-2 using power returned 0 | call 3 from pacemaker-controld.600
Nov 27 18:31:27.344 server-1 pacemaker-fenced    [596] (finalize_op) \tnotice: Operation 'off' targeting server-2 by server-1 for pacemaker-controld.600@server-1: OK (Done) | id=e6e46dda
Nov 27 18:31:27.352 server-1 pacemaker-controld  [600] (execute_rsc_action) \tnotice: Initiating start operation vm-1_start_0 on server-3 | action 6
Nov 27 18:31:29.952 server-3 pacemaker-controld  [586] (log_executor_event) \tnotice: Result of start operation for vm-1 on server-3: OK | graph action confirmed; call=10 key=vm-1_start_0 rc=0
Nov 27 18:31:29.976 server-1 pacemaker-controld  [600] (execute_rsc_action) \tnotice: Initiating monitor operation vm-1_monitor_1000 on server-3 | action 7
Nov 27 18:31:30.296 server-3 pacemaker-controld  [586] (log_executor_event) \tnotice: Result of monitor operation for vm-1 on server-3: OK | graph action unconfirmed; call=11 key=vm-1_monitor_1000 rc=0
"""  # noqa: E501 - as they are

TASK = {"com.docker.swarm.service.name": "container-1", "com.docker.swarm.task.name": "container-1.1.34hahf6z20d6"}


def event(kind: str, action: str, nano: int, **attributes: str) -> str:
    return json.dumps({"Type": kind, "Action": action, "Actor": {"ID": "d33c", "Attributes": attributes},
                       "scope": "local", "time": nano // 10**9, "timeNano": nano})  # fmt: skip


def at(time: str) -> float:
    return datetime.fromisoformat(f"2026-11-27T{time}+00:00").timestamp()


def told(moments: list[Moment]) -> list[tuple[str, Any]]:
    return [(one.part, pytest.approx(one.at_s, abs=1e-3)) for one in moments]


def test_corosync_tells_when_the_others_agree_that_one_is_lost() -> None:
    """Not when one joins, and not what was cut off."""
    assert told(logs.corosync(COROSYNC, NOW, "+0000")) == [(DETECT, at("18:31:26.180"))]


def test_pacemaker_tells_fence_place_and_start() -> None:
    """Of its VM alone; a probe that finds none is no failure."""
    expected = [(FENCE, at("18:31:27.344")), (PLACE, at("18:31:27.352")), (START, at("18:31:29.952"))]
    assert told(logs.pacemaker(PACEMAKER, "vm-1", NOW, "+0000")) == expected
    assert told(logs.pacemaker(PACEMAKER, "vm-10", NOW, "+0000")) == expected[:1]


@pytest.mark.parametrize(
    ("result", "found"),
    [("Not running", 1), ("Error occurred", 1), ("OK", 0), ("Cancelled", 0)],
)
def test_a_monitor_that_fails_has_noticed_it(result: str, found: int) -> None:
    """One that was told to end has not."""
    line = PACEMAKER.splitlines()[-1].replace(": OK |", f": {result} |")
    assert len([one for one in logs.pacemaker(line, "vm-1", NOW, "+0000") if one.part == DETECT]) == found


@pytest.mark.parametrize(
    ("zone", "now", "line", "expected"),
    [
        ("+0200", "2026-11-27T18:40+02:00", "Nov 27 18:31:26.180", "2026-11-27T18:31:26.180+02:00"),
        ("-0330", "2026-11-27T18:40-03:30", "Nov 27 18:31:26.180", "2026-11-27T18:31:26.180-03:30"),
        ("+0000", "2027-01-01T00:00:03+00:00", "Dec 31 23:59:58.500", "2026-12-31T23:59:58.500+00:00"),
        ("+0000", "2028-02-29T12:00:00+00:00", "Feb 29 11:59:00", "2028-02-29T11:59:00+00:00"),
    ],
)
def test_a_stamp_without_a_year_is_the_nearest_one_in_its_zone(zone: str, now: str, line: str, expected: str) -> None:
    """Over New Year as well."""
    text = f"{line} notice  [TOTEM ] A new membership (1.11) was formed. Members left: 2"
    (moment,) = logs.corosync(text, datetime.fromisoformat(now).timestamp(), zone)
    assert moment.at_s == pytest.approx(datetime.fromisoformat(expected).timestamp(), abs=1e-3)


def test_the_engines_tell_of_servers_and_tasks() -> None:
    """Not of other containers, nor of lines that are none."""
    text = "\n".join(
        [
            event("node", "update", 1_000_000_000, name="server-4", **{"state.new": "unknown", "state.old": "ready"}),
            event("node", "update", 2_500_000_000, name="server-4", **{"state.new": "down", "state.old": "unknown"}),
            event("container", "die", 2_600_000_000, **TASK, exitCode="137"),
            event("container", "die", 2_700_000_000, name="another"),
            event("network", "connect", 3_000_000_000, container="d33c", name="bridge", type="bridge"),
            event("container", "start", 3_250_000_001, **TASK),
            event("container", "start", 3_300_000_000, name="another"),
            "{",
            "null",
        ]
    )
    assert told(logs.swarm(text, "container-1")) == [(DETECT, 2.5), (DETECT, 2.6), (PLACE, 3.0), (START, 3.25)]


def test_the_edge_tells_of_each_place_once() -> None:
    """It writes each change a second time, with a level; and connections, which are none."""
    text = """\
2026-11-27T18:27:47.125149330Z Server vm/place-1 is DOWN, reason: Layer7 timeout, check duration: 343ms. 0 active and 0 backup servers left. 17 sessions active, 0 requeued, 0 remaining in queue.
2026-11-27T18:27:47.125169919Z [WARNING]  (7) : Server vm/place-1 is DOWN, reason: Layer7 timeout, check duration: 343ms. 0 active and 0 backup servers left. 17 sessions active, 0 requeued, 0 remaining in queue.
2026-11-27T18:27:47.400000000Z Connect from 10.212.17.1:53246 to 10.212.17.12:8001 (vm/HTTP)
2026-11-27T18:27:47.497010489Z Server vm/place-1 is UP, reason: Layer7 check passed, code: 200, check duration: 356ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.
2026-11-27T18:27:48.497010489Z Server container/place-2 is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.
"""  # noqa: E501 - as they are
    found: Any = [
        (pytest.approx(at_s, abs=1e-3), where, state) for at_s, side, where, state in edge.read(text) if side == "vm"
    ]
    assert found == [(at("18:27:47.125"), "place-1", "DOWN"), (at("18:27:47.497"), "place-1", "UP")]


def test_a_servers_logs_are_read_as_they_are_fetched() -> None:
    """Both of them, by the clock and the zone of the server."""
    text = (
        f"now {NOW:.0f} +0000\nlog /var/log/vvc/corosync.log\n{COROSYNC}\n"
        f"log /var/log/pacemaker/pacemaker.log\n{PACEMAKER}"
    )
    assert [one.part for one in vm.read(text, "vm-1")] == [DETECT, FENCE, PLACE, START]
    assert vm.read("now 1 +0000\n", "vm-1") == []
