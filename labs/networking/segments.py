"""Experiment *segments*: two networks of one side on one server; does one reach the other, and what stands between?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from infra.plan import SERVICE_PORT
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.sides import Runner
from labs.networking import filters, undoing
from labs.networking.arms import BRIDGED, PUBLISHED
from labs.networking.sides import segment
from labs.networking.sides.segment import LISTENS


def tried(run: Runner, way: str, reach: Callable[[], bool]) -> dict[str, Any]:
    """One try to reach something, with what the server's rules stopped meanwhile."""
    before = filters.read(run(list(filters.SAVED)).output)
    reached = reach()
    stopped = filters.stopped(before, filters.read(run(list(filters.SAVED)).output))
    return {"way": way, "reached": reached, "stopped_by": {} if reached else {one.told: one.packets for one in stopped}}


def measure(place: Place, turn: Turn) -> Seen:
    """The replica joins the first network; it and the listeners try one another, within it and across."""
    replica = place.along(turn.arm)
    run = place.run(replica)
    own = segment.OF[replica.side](place, replica)
    try:
        for one in segment.NETS:
            own.make(one)
        beside, across = own.listen("a"), own.listen("b")
        at = own.join("a")
        ways = [
            tried(run, "within: replica to listener", lambda: own.reaches("", beside, LISTENS)),
            tried(run, "within: listener to replica", lambda: own.reaches("a", at, SERVICE_PORT)),
            tried(run, "across: replica to listener", lambda: own.reaches("", across, LISTENS)),
            tried(run, "across: listener to replica", lambda: own.reaches("b", at, SERVICE_PORT)),
        ]
    finally:
        undoing.restore(place)
    return Seen(
        {"ways_that_reached": float(sum(1 for one in ways if one["reached"]))},
        facts={"path": replica.path, "ways": ways},
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
        replica=replica,
    )


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:  # noqa: ARG001 - what is seen once is seen
    """Once a side."""
    return take_turns([arm for arm in (BRIDGED, PUBLISHED) if arm.side in sides], 1, warm_ups=0)


EXPERIMENT = Experiment(
    name="segments",
    question="Two networks of one side on one server: does one reach the other, and what stands between them?",
    prediction="What keeps two networks of VMs apart, and what two networks of containers?",
    turns=turns,
    measure=measure,
    restore=undoing.restore,
)
