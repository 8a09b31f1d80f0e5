"""Exercise *split brain*: what if a cluster starts a replica anew though the first one lives, since nobody fences?

A second copy is started behind the cluster's back, on a copy of the data: the lab's own are never touched. Clients
reach both, as they may when a network is cut in two; each acknowledges what it is given. Nothing is judged by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from labkit.lifecycle.running import RunningLab
from labkit.measure import faults
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.prober.handle import probing
from labkit.measure.prober.settings import Settings
from labs.failover.clusters import OF
from labs.failover.sides import cluster

SPLIT_S = 10.0
GOOD_WITHIN_S = 60.0
READS_PER_S, WRITES_PER_S, DEADLINE_S = 2.0, 4.0, 3.0
MARK = "an exercise: nobody fenced, on a copy of the data"


def turns(sides: Sequence[str], _quick: bool) -> Sequence[Turn]:
    """Each side once: that two copies part needs no repeat."""
    return take_turns([side for side in sides if side in OF], 1, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Give both copies writes in turns, and hold what was acknowledged against each."""
    replica = place.replica(turn.side)
    other = next(one for one in cluster.of(place, turn.side) if one.name != replica.server)
    stream = f"split-brain-{turn.side}"
    faults.note_change(place, f"{turn.side}: a second copy")
    try:
        second = OF[turn.side].split(place, replica, other)
        settings = Settings(
            [replica.url, second.url],
            place.folder,
            stream,
            reads_per_s=READS_PER_S,
            writes_per_s=WRITES_PER_S,
            deadline_s=DEADLINE_S,
        )
        with probing(settings, GOOD_WITHIN_S) as prober:
            time.sleep(SPLIT_S)
            result = prober.stop()
            both, here, there = (
                result.audit(urls) for urls in ([replica.url, second.url], [replica.url], [second.url])
            )
    finally:
        merge(place, [turn.side])
    return Seen(
        {
            "acknowledged_writes": float(both.acknowledged),
            "writes_only_in_the_first": float(len(there.lost)),
            "writes_only_in_the_second": float(len(here.lost)),
        },
        facts={
            "exercise": MARK,
            "first": replica.server,
            "second": second.server,
            "lost where the second is given up": list(here.lost),
        },
        conditions={
            "client": f"open loop, {WRITES_PER_S:g} writes a second, to each copy in turn",
            "cache": "warm",
            "start_line": "both copies answer",
            "finish_line": f"{SPLIT_S:g} s later",
        },
        stream=stream,
        marks=(MARK,),
    )


def merge(place: RunningLab, sides: Iterable[str]) -> None:
    """There is one copy again, and none of the data."""
    for side in sides:
        for replica in place.contract.side(side):
            cluster.ask(place, cluster.of(place, side), OF[side].MERGE, replica.name)


def restore(place: RunningLab) -> None:
    """Nothing is left of a second copy."""
    merge(place, OF)
    faults.forget(place.ready, place.lab)


EXPERIMENT = Experiment(
    name="split-brain",
    question="Nobody fences, and a second copy is started though the first one lives: whose entries are the true ones?",
    prediction="Which of the acknowledged entries will be there when one copy is given up?",
    turns=turns,
    measure=measure,
    restore=restore,
    exercise=True,
)
