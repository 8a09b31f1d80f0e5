"""Experiment *place*: on which of its side's servers does a replica run, and under whose kernel?"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.judge.model import Claim, Observed, Row
from labkit.judge.observed import Facts, seen
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.labs import Table
from labkit.runs.records import Arm, Run
from labkit.sides import where

BOOT_ID = ("cat", "/proc/sys/kernel/random/boot_id")
SIDES = ("vm", "container")


def turns(sides: Sequence[str], _quick: bool) -> Sequence[Turn]:
    """Each side once: what is only looked at needs no repeat."""
    return take_turns(sides, 1, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Ask each server of the side whether the replica runs there."""
    replica = place.replica(turn.side)
    found = where.found(replica, place.contract.servers, place.runner)
    return Seen(
        values={"servers": float(len(found))},
        facts={
            "runs_on": [server.name for server, _ in found],
            "servers": [server.name for server in place.contract.servers if server.side == turn.side],
            "boot_id": place.inside(replica)(BOOT_ID).output.strip(),
        },
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def restore(place: Place) -> None:
    """Nothing was changed."""


def one_place(vm: Facts, container: Facts) -> tuple[bool, Facts]:
    """Each replica runs on one of its side's servers; on two it would be two copies."""
    both = dict(zip(SIDES, (vm, container), strict=True))
    told = {f"servers that run the {side}": ", ".join(facts["runs_on"]) for side, facts in both.items()}
    return all(len(facts["runs_on"]) == 1 for facts in both.values()), told


def places(run: Run, _rows: Sequence[Row]) -> Table:
    """Where each replica ran, of which servers."""
    found = run.experiment("place")
    last = {one.side: one.facts for one in (found.repeats if found else ()) if one.counts}
    lines = [(side, ", ".join(facts["runs_on"]), ", ".join(facts["servers"])) for side, facts in last.items()]
    return Table("Where the replicas run", ("side", "runs on", "of"), lines)


EXPERIMENT = Experiment(
    name="place",
    question="On which of its side's servers does each replica run?",
    prediction="Who decides it, and who would have to be asked?",
    turns=turns,
    measure=measure,
    restore=restore,
)

CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="one-place",
        row="Fault tolerance",
        text="Each cluster runs its replica on exactly one of its servers.",
        experiment="place",
        observe=seen("place", [Arm(side) for side in SIDES], one_place),
        because="one manager decides, by a majority of the servers; two copies would write to the same data.",
    ),
)
