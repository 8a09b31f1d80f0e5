"""Experiment *start*: from nothing, from off and from a suspended state to the first correct answer, part by part."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import names, telling
from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.lifecycle import steady
from labkit.lifecycle.following import following
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.measure import clocks, neighbours, stages
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.first_answers import POLL_S, polling
from labkit.measure.stages import Mark
from labkit.runs.records import Arm
from labkit.sides import SIDES, Runner
from labkit.system.errors import CommandError, LabError
from labkit.system.waiting import until

REPEATS = 10
QUICK_REPEATS = 2

CLIENT = f"open loop: a new connection every {POLL_S * 1000:.0f} ms until one is accepted, from the laptop"
FINISH_LINE = "first 200 of /whoami"
LISTENS = "the service's imports, until it listens"

_FIRST_WITHIN_S = 180.0
_INSIDE_WITHIN_S = 60.0
_TICK_S = 0.01
_PULUMI = {
    "Volume": "Pulumi's program, and the replica's disk or volume",
    "Domain": "Pulumi has the domain defined and started",
    "Container": "Pulumi has the container made and started",
}
"""Type of a replica's resource -> the stage that ends when Pulumi has made it."""


@dataclass(frozen=True)
class _Action:
    """What is done before the clock starts, what the clock times, and what the last mark before the answer is."""

    prepare: Callable[[Place, Replica], None]
    go: Callable[[Place, Replica], Mapping[str, Sequence[float]]]
    """Returns what Pulumi told, resource -> instants; empty where it was not asked."""
    start_line: Callable[[Place, Replica], str]
    service: str
    """The stage that ends when the service's process is made."""
    last: str = LISTENS


def measure(place: Place, turn: Turn) -> Seen:
    """One start of one side, timed from the command to the first correct answer."""
    replica, action = place.replica(turn.side), ACTIONS[turn.action]
    with neighbours.pinned(place.ready.machine, place.lab, [replica]):
        action.prepare(place, replica)
        with polling({replica.name: replica.url}) as first:
            begin = time.monotonic()
            told = action.go(place, replica)
            end = _first(replica, first, begin)
    said = steady.whoami(replica)
    marks = [*_pulumi_marks(replica, told), *_own_marks(place, replica, said, action)]
    answered = Mark("first 200", end, "polled from the laptop", POLL_S)
    return Seen(
        values={"ready_s": round(end - begin, 4)},
        stages=stages.between(begin, marks, answered, last=action.last),
        facts={"kernel_release": said["kernel_release"], "python": said["python"]},
        conditions={
            "start_line": action.start_line(place, replica),
            "finish_line": FINISH_LINE,
            "client": CLIENT,
            "cache": "warm",
        },
    )


def _first(replica: Replica, first: Mapping[str, float], begin: float) -> float:
    if not until(lambda: replica.url in first, begin + _FIRST_WITHIN_S - time.monotonic(), POLL_S):
        raise LabError(f"{replica.name} gave no 200 within {_FIRST_WITHIN_S:.0f} s.", hint="./lab status")
    return first[replica.url]


def _pulumi_marks(replica: Replica, told: Mapping[str, Sequence[float]]) -> list[Mark]:
    found = []
    for resource, instants in told.items():
        kind, _, name = resource.partition(" ")
        if names.belongs(name, replica.name) and kind in _PULUMI and len(instants) > 1:
            found.append(Mark(_PULUMI[kind], instants[-1], "Pulumi's event log", POLL_S))
    return found


def _own_marks(place: Place, replica: Replica, said: Mapping[str, Any], action: _Action) -> list[Mark]:
    """What engine, kernel, init and service noted, on this process's monotonic clock."""
    run, inside = place.run(replica), place.inside(replica)
    # The service may answer before one can log in.
    if not until(lambda: _lets_in(inside), _INSIDE_WITHIN_S, 0.5):
        raise LabError(f"{replica.name} lets nobody in within {_INSIDE_WITHIN_S:.0f} s.", hint="./lab status")
    events = place.side(replica).events(replica, run, inside)
    since_boot_s = clocks.boot_s() - time.monotonic()
    offsets = {
        "server": clocks.offset_s(run, clocks.boot_id(run)) - since_boot_s,
        "replica": clocks.offset_s(inside, str(said["boot_id"])) - since_boot_s,
    }
    started, listens = float(said["started_boottime_s"]), float(said["listening_boottime_s"])
    return [
        *(Mark(one.ends, one.at_s + offsets[one.clock], one.source, one.resolution_s) for one in events),
        Mark(action.service, started + offsets["replica"], "/proc/self/stat of the service", _TICK_S),
        Mark(LISTENS, listens + offsets["replica"], "the service's own stamp", _TICK_S),
    ]


def _lets_in(inside: Runner) -> bool:
    try:
        return inside(["true"]).ok
    except CommandError:
        return False


def _remove(place: Place, replica: Replica) -> None:
    """Destroy what belongs to this replica alone; images, networks and all else stay."""
    urns = [str(one["urn"]) for one in place.ready.pulumi.resources(place.lab)]
    targets = [
        word for urn in urns if names.belongs(urn.rsplit("::", 1)[-1], replica.name) for word in ("--target", urn)
    ]
    outcome = place.ready.pulumi.quiet([*DESTROY, "-s", place.lab, *targets, "--target-dependents"])
    if not targets or not outcome.ok:
        raise LabError(
            f"{replica.name} could not be removed{telling.because(outcome.output)}", hint=f"./lab up {place.lab}"
        )


def _up(place: Place, replica: Replica) -> Mapping[str, Sequence[float]]:
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder, "events.json")
        events.touch()
        with following(events) as told:
            outcome = place.ready.pulumi.quiet([*UP, "-s", place.lab, "--event-log", str(events)])
    if not outcome.ok:
        raise LabError(
            f"{replica.name} was not deployed{telling.because(outcome.output)}", hint=f"./lab up {place.lab}"
        )
    return told


def _stop(place: Place, replica: Replica) -> None:
    place.side(replica).stop(replica, place.run(replica))


def _suspend(place: Place, replica: Replica) -> None:
    place.side(replica).suspend(replica, place.run(replica))


def _start(place: Place, replica: Replica) -> Mapping[str, Sequence[float]]:
    place.side(replica).start(replica, place.run(replica))
    return {}


_RESTORE = "restore"
ACTIONS = {
    "deploy": _Action(
        _remove,
        _up,
        lambda _place, _replica: "`pulumi up` begins; server and images are there, the replica and its disk are not",
        "it is configured, and the service's process made",
    ),
    "start": _Action(
        _stop,
        _start,
        lambda _place, _replica: "its engine is told to start it; it is off, made and configured",
        "the service's process is made",
    ),
    _RESTORE: _Action(
        _suspend,
        _start,
        lambda place, replica: f"its engine is told to let it go on; {place.side(replica).SUSPENDED}",
        "the service's process is made",
        last="",
    ),
}


def turns(sides: Sequence[str], quick: bool) -> Sequence[Turn]:
    """Each action in turn, sides alternating, a warm-up first; a quick run has two repeats and none.

    A side that cannot be suspended has nothing to be restored from.
    """
    repeats, warm_ups = (QUICK_REPEATS, 0) if quick else (REPEATS, 1)
    return tuple(
        turn
        for turn in take_turns(sides, repeats, actions=tuple(ACTIONS), warm_ups=warm_ups)
        if turn.action != _RESTORE or SIDES[turn.side].SUSPENDED
    )


def restore(place: Place) -> None:
    """What is off starts, and what is gone is made."""
    steady.bring_back(place)


EXPERIMENT = Experiment(
    name="start",
    question="How long until the first correct answer: from nothing, from off, and from a suspended state?",
    prediction="Which side answers first from nothing, and which from off? By what factor?",
    turns=turns,
    measure=measure,
    restore=restore,
)

VM, CONTAINER = Arm("vm"), Arm("container")
_WAITED_FOR = 1.5
_WHY_WAITED_FOR = (
    "repeats on one busy machine differ by tens of per cent, and who waits hardly notices less than half as long again"
)

_BOOTS = (
    "Firecracker, NSDI 2020: a micro-VM boots in 110 to 160 ms, one under QEMU in 244 ms (median). "
    "A stock cloud image takes 7 to 9 s on bare metal, a container 0.3 to 0.6 s to start."
)

CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="deploys-slower",
        row="Speed",
        text="From nothing, a VM takes longer to answer than a container.",
        metric=Metric(
            "deploy_s",
            "s",
            "Seconds from nothing (no guest, no container) to the first correct 200.",
            experiment="start",
            action="deploy",
            value="ready_s",
            example=31.5,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_WAITED_FOR,
        bound_by="cpu",
        because="a new guest boots a kernel and an init and is then configured over ssh; "
        "a new container is a process in new namespaces, configured by its image.",
        reference=_BOOTS,
        effect_because=_WHY_WAITED_FOR,
    ),
    Measured(
        name="starts-slower",
        row="Speed",
        text="Switched off but configured, a VM takes longer to answer than a container.",
        metric=Metric(
            "start_s",
            "s",
            "Seconds from the order to start a shut-off guest or a stopped, created container to the first "
            "correct 200.",
            experiment="start",
            action="start",
            value="ready_s",
            example=0.48,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_WAITED_FOR,
        bound_by="cpu",
        because="a guest boots a kernel and an init before its service starts; "
        "a container's first process is the service.",
        reference=_BOOTS,
        effect_because=_WHY_WAITED_FOR,
    ),
)
