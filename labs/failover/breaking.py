"""The experiments: a fault is struck on one side under load; client, clusters and service tell of it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from infra.outputs import Replica
from labkit.lifecycle import servers
from labkit.lifecycle.running import RunningLab
from labkit.measure import clocks, edge, faults
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.faults import Fault, Struck
from labkit.measure.prober.handle import Prober, probing
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import QUIET_S, Outage, outage, summarise, within
from labkit.runs.records import Arm, Stage
from labkit.system.errors import LabError
from labs.failover import faults as known
from labs.failover import outage as parts
from labs.failover import timers
from labs.failover.clusters import OF
from labs.failover.outage import ROUTE, Moment
from labs.failover.sides.cluster import DEFAULT, MATCHED, now

REPEATS, QUICK_REPEATS, FULL_REPEATS = 3, 1, 10
LOAD = {"kvm": (50.0, 10.0, 1.0), "tcg": (8.0, 2.0, 2.0)}
"""Accelerator -> reads and writes a second and the deadline of each, the same on both sides. An emulated guest spends
10 ms on each request."""

STEADY_WITHIN_S = 60.0
BACK_WITHIN_S = 300.0
INSTANT_S = 5.0
"""The fault is struck at an instant within so much time, the longest period of any timer here, drawn anew each time."""
ALONE_S = 20.0
"""So long a side without its majority is looked at: by half of it the survivor has noticed."""

START_LINE = "the last good answer before the fault"
FINISH_LINE = f"the first good answer that is followed by {QUIET_S:g} s without a failure"
_TURN_S = {"vm": 75.0, "container": 70.0}
"""About how long a turn takes, without KVM."""


def arms(sides: Sequence[str], profiles: Sequence[str]) -> list[Arm]:
    """Each side under each profile."""
    return [Arm(side, {"timers": one}) for one in profiles for side in sides if side in OF]


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """With the timers that each project ships."""
    return take_turns(arms(sides, [DEFAULT]), QUICK_REPEATS if quick else REPEATS, warm_ups=0)


def full(sides: Sequence[str]) -> tuple[Turn, ...]:
    """Under both profiles, one after the other: a change of timers makes the task of a swarm anew."""
    return tuple(
        turn for profile in (DEFAULT, MATCHED) for turn in take_turns(arms(sides, [profile]), FULL_REPEATS, warm_ups=0)
    )


def instant_s(fault: Fault, turn: Turn) -> float:
    """When within INSTANT_S the fault of a turn is struck: the same in each run, another one in each turn. Pure."""
    return random.Random(f"{fault.name} {turn.arm} {turn.number}").uniform(0, INSTANT_S)  # noqa: S311 - no secret


@dataclass(frozen=True)
class Broken:
    """What is known while the fault is in force, on the prober's clock where it is a time."""

    struck: Struck
    begin_s: float
    end_s: float
    before: Mapping[str, str]
    after: Mapping[str, str]
    moments: Sequence[Moment]
    edge: Sequence[tuple[float, str, str]]


def measure(fault: Fault, place: Place, turn: Turn) -> Seen:
    """Break one side once, under load, and put it right again."""
    replica, profile = place.replica(turn.side), turn.factors["timers"]
    timers.put(place, turn.side, profile)
    fault.prepare(place, turn.side)
    reads, writes, deadline_s = LOAD[place.contract.accelerator]
    stream = f"{fault.name}-{turn.side}-{profile.split()[0]}-{turn.number}"
    settings = Settings(
        [replica.url], place.folder, stream, reads_per_s=reads, writes_per_s=writes, deadline_s=deadline_s
    )
    with probing(settings, STEADY_WITHIN_S) as prober:
        time.sleep(instant_s(fault, turn))
        try:
            broken = (_overcome if fault.overcome else _alone)(fault, place, replica, prober)
        finally:
            faults.undo(place, known.FAULTS)
        if not fault.overcome:
            prober.wait_good(BACK_WITHIN_S, for_s=QUIET_S, after_s=broken.end_s)
        known.await_whole(place)
        result = prober.stop()
        ledger = result.audit([replica.url])
    samples = list(result.samples())
    if fault.overcome:
        seen = outage(samples, failing_from(samples, broken.begin_s, broken.end_s))
        values, stages = account(seen, broken.moments, parts_of(fault, turn.side), 1 / (reads + writes))
    else:
        values, stages = {"answered_percent": answered_percent(samples, broken)}, ()
    facts = {
        "before": dict(broken.before),
        "after": dict(broken.after),
        "struck": list(broken.struck.target.servers),
        "ledger": {
            "acknowledged": ledger.acknowledged,
            "lost": list(ledger.lost),
            "doubled": list(ledger.doubled),
            "changed": list(ledger.changed),
        },
        "edge": [f"{at_s - broken.begin_s:+.2f} s {where} {state}" for at_s, where, state in broken.edge],
        "moments": [f"{one.at_s - broken.begin_s:+.2f} s {one.part}: {one.source}" for one in broken.moments],
    }
    client = f"open loop, {reads:g} reads and {writes:g} writes a second, deadline {deadline_s:g} s, at the edge"
    return Seen(
        {**values, "acknowledged_writes": float(ledger.acknowledged), "lost_writes": float(len(ledger.lost))},
        stages=stages,
        facts=facts,
        conditions={
            "start_line": START_LINE,
            "finish_line": FINISH_LINE,
            "client": client,
            "cache": "warm",
            **timers.conditions(turn.side, profile),
        },
        stream=stream,
        marks=summarise(samples).marks,
        replica=place.replica(replica.side),
    )


def _overcome(fault: Fault, place: Place, replica: Replica, prober: Prober) -> Broken:
    """Strike, and wait until the side serves again by itself."""
    cluster = OF[replica.side]
    before = cluster.identity(place, now(place, replica.side))
    since_s = time.time()
    struck = faults.strike(place, fault, replica.side)
    prober.wait_good(BACK_WITHIN_S, for_s=QUIET_S, after_s=on_probers(prober, struck.end_s))
    moments = sorted(cluster.told(place, replica, since_s), key=lambda one: one.at_s)
    ahead_s = on_probers(prober, clocks.boot_s()) - time.time()
    return Broken(
        struck,
        on_probers(prober, struck.begin_s),
        on_probers(prober, struck.end_s),
        before,
        cluster.identity(place, now(place, replica.side, struck.target.servers)),
        [Moment(one.part, one.at_s + ahead_s, one.source, one.resolution_s) for one in moments],
        [(at_s + ahead_s, where, state) for at_s, where, state in _edge(place, replica.side, since_s)],
    )


def _alone(fault: Fault, place: Place, replica: Replica, prober: Prober) -> Broken:
    """Strike, and look for a while what the side does without its majority."""
    before = OF[replica.side].identity(place, now(place, replica.side))
    struck = faults.strike(place, fault, replica.side)
    time.sleep(ALONE_S)
    begin_s, end_s = on_probers(prober, struck.begin_s), on_probers(prober, clocks.boot_s())
    return Broken(struck, begin_s, end_s, before, {}, [], [])


def on_probers(prober: Prober, boot_s: float) -> float:
    """An instant since this machine's boot on the samples' clock."""
    return prober.at(time.monotonic() - (clocks.boot_s() - boot_s))


def failing_from(samples: Sequence[Sample], begin_s: float, end_s: float) -> float:
    """When what was struck from `begin_s` to `end_s` was first asked in vain; its end, if that was never. Pure.

    A side that is drained serves on for a while: that is no part of its outage.
    """
    vain = [one.scheduled_s for one in samples if one.failed and one.scheduled_s >= begin_s]
    return min(vain, default=end_s)


def answered_percent(samples: Sequence[Sample], broken: Broken) -> float:
    """How much of what was asked in the second half of a fault was answered. Pure."""
    late = within(samples, from_s=(broken.begin_s + broken.end_s) / 2, to_s=broken.end_s)
    return round(100 * sum(one.good for one in late) / max(1, len(late)), 1)


def parts_of(fault: Fault, side: str) -> Sequence[str]:
    """The parts that an outage by this fault has on a side."""
    return OF[side].PARTS.get(fault.name, OF[side].PARTS[""])


def account(
    seen: Outage, moments: Sequence[Moment], ended: Sequence[str], every_s: float
) -> tuple[dict[str, float], tuple[Stage, ...]]:
    """Values and parts of an outage that a client saw who asks each `every_s`. Pure. Raises LabError without one."""
    if seen.outage_s is None or seen.last_good_s is None or seen.first_lasting_s is None:
        raise LabError(f"The outage has no number: {seen.problem}.", hint="./lab status")
    values = {"outage_s": round(seen.outage_s, 3), "failed_requests": float(seen.failures)}
    end = Moment(ROUTE, seen.first_lasting_s, "the prober's samples, at the edge", round(every_s, 3))
    return values, parts.split(seen.last_good_s, end, moments, ended)


def _edge(place: RunningLab, side: str, since_s: float) -> list[tuple[float, str, str]]:
    """What the edge has noted of a side since then, on the clock of 1970."""
    with servers.engine(place.ready.machine) as client:
        told = edge.told(client, place.lab, since_s)
    return [(one.at_s, one.place, one.state) for one in told if one.side == side]


def restore(place: RunningLab) -> None:
    """No fault is in force, and both sides have the timers of their projects."""
    faults.undo(place, known.FAULTS)
    for side in OF:
        if place.contract.side(side):
            timers.put(place, side, DEFAULT)
    faults.forget(place.ready, place.lab)


def _experiment(fault: Fault, question: str, *, only_full: bool = True) -> Experiment:
    return Experiment(
        name=fault.name,
        question=question,
        prediction="Which side serves again first, and after how many seconds?"
        if fault.overcome
        else "Which side goes on serving?",
        turns=turns,
        measure=partial(measure, fault),
        restore=restore,
        full=full,
        only_full=only_full,
        estimate_s=lambda turn: _TURN_S.get(turn.side, max(_TURN_S.values())),
    )


EXPERIMENTS = (
    _experiment(
        known.SERVICE_KILLED,
        "The service's process is killed: how long until clients are served again?",
        only_full=False,
    ),
    _experiment(
        known.SERVER_KILLED,
        "The replica's server dies: how long until clients are served again, and what takes it?",
        only_full=False,
    ),
    _experiment(known.REPLICA_KILLED, "The guest, or the container, is killed: who notices it, and how fast?"),
    _experiment(known.LEADER_KILLED, "The server dies that decides for the cluster, with the replica: what is added?"),
    _experiment(known.SERVER_CUT, "The replica's server is cut off, but lives: how long until one serves elsewhere?"),
    _experiment(known.SERVER_DRAINED, "A server is to carry nothing any more: what do clients notice of it?"),
    _experiment(known.MAJORITY_KILLED, "The two other servers die: does the third one go on serving?"),
)
