"""Experiment *neighbours*: a replica answers while the one beside it misbehaves; who suffers, and who ends whom."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.outputs import Replica
from labkit.lifecycle import steady
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.prober.handle import probing
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import Summary, summarise, within
from labkit.runs.records import Arm
from labkit.sides import Runner
from labkit.system.errors import LabError
from labkit.system.waiting import until
from labs.isolation import burden, neighbour
from labs.isolation.burden import CPU, FAULTS, FORKS, MEMORY, Load
from labs.isolation.neighbour import Lived
from labs.isolation.sides.neighbour import SIDES

FAULT, LIMITS = "fault", "limits"
"""The factors' names."""
LIMITED, UNLIMITED = "limited", "unlimited"
"""As the lab sets limits; or the neighbour without any but its server's."""

REPEATS, OTHER_REPEATS = 6, 1
QUICK = (CPU.name, MEMORY.name, FORKS.name)
"""The faults of a quick run, once each; the neighbour that burns CPU is the one that claims rest on."""

PER_S = {"kvm": 100.0, "tcg": 25.0}
"""Accelerator -> requests a second to the victim, the same on each side."""
DEADLINE_S = 2.0
BEFORE_S, AFTER_S = 5.0, 3.0
DURING_S = {"kvm": 8.0, "tcg": 16.0}
"""Accelerator -> how long it misbehaves: one in an emulated guest needs some seconds to have eaten all memory."""
LEAST_MS = 0.1
"""What a p99 is lengthened by at least, as a value: less cannot be told from nothing."""

START_LINE = "a request's scheduled time"
FINISH_LINE = "its answer, whole"
WINDOWS = ("before", "during", "after")

_WITHIN_S = 60.0
"""Bound of each wait: for the victim's first answer, for the neighbour to begin, for either to serve again."""
_TURN_S = 30.0
"""What a turn takes, about."""
_LINES = 20
"""Of the kernel's words, the last so many are kept."""


def arms(sides: Iterable[str], fault: str) -> tuple[Arm, ...]:
    """Each side with its limits; and without, where there is something that takes them off."""
    return tuple(
        Arm(side, {FAULT: fault, LIMITS: limits})
        for side in sides
        for limits in ((LIMITED, UNLIMITED) if SIDES[side].lift else (LIMITED,))
    )


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """The neighbour that burns CPU in each arm by turns, then each other fault."""
    if quick:
        return tuple(turn for fault in QUICK for turn in take_turns(arms(sides, fault), 1, warm_ups=0))
    return _turns(sides, OTHER_REPEATS)


def full(sides: Sequence[str]) -> tuple[Turn, ...]:
    """Each fault as often as the one that claims rest on."""
    return _turns(sides, REPEATS)


def _turns(sides: Sequence[str], others: int) -> tuple[Turn, ...]:
    first = take_turns(arms(sides, CPU.name), REPEATS, warm_ups=0)
    rest = (take_turns(arms(sides, name), others, warm_ups=0) for name in FAULTS if name != CPU.name)
    return (*first, *(turn for some in rest for turn in some))


def measure(place: Place, turn: Turn) -> Seen:
    """Ask the victim on a clock; let its neighbour misbehave meanwhile; look who has ended whom."""
    fault = FAULTS[turn.factors[FAULT]]
    victim, beside = pair(place, turn.side)
    run = place.run(beside)
    load = _load(place, beside)
    if why := _too_small(turn, load, _room(run)):
        return Seen({}, marks=(f"not measured: {why}",), replica=victim)
    neighbour.prepare(place, beside)
    before = neighbour.events(place, beside)
    said = steady.whoami(victim)
    try:
        if not _limited(turn):
            neighbour.lift(place, beside)
        if fault.far_end:
            neighbour.listening(run, load.far_end)
        found, how = _probed(place, turn, victim, beside, load)
    finally:
        neighbour.rest(place, beside)
    _serves_again(place, beside)
    came = neighbour.between(before, neighbour.events(place, beside))
    summaries = {name: summarise(some) for name, some in found.items()}
    return Seen(
        values(summaries),
        facts={
            "neighbour": f"{beside.name} {fault.what}",
            "ended_by": neighbour.ended_by(turn.side, how, came),
            "kernel_said": list(came.said[-_LINES:]),
            "neighbour_said": list(how.said),
            "neighbour_state": came.state,
            "oom_kills": came.oom_kills,
            "refused_processes": came.refused_processes,
            "least_free_kib": how.least_free_kib,
            "victim": victim.name,
            "victim_survives": survives(said, steady.asked(victim)),
            "outcomes": {name: dict(one.outcomes) for name, one in summaries.items()},
        },
        conditions={
            "start_line": START_LINE,
            "finish_line": FINISH_LINE,
            "client": f"open loop, {PER_S[place.contract.accelerator]:g} reads a second, a new connection each, "
            f"deadline {DEADLINE_S:g} s",
            "cache": "warm",
        },
        stream=_stream(turn),
        marks=tuple(dict.fromkeys(mark for one in summaries.values() for mark in one.marks)),
        replica=victim,
    )


def lacks(place: Place, turns: Sequence[Turn]) -> list[str]:
    """Which neighbours this machine has no room for, and why: a sentence for each arm. Raises LabError."""
    beside = {side: pair(place, side)[1] for side in dict.fromkeys(turn.side for turn in turns)}
    looked = {side: (_load(place, one), _room(place.run(one))) for side, one in beside.items()}
    whys = {str(turn.arm): _too_small(turn, *looked[turn.side]) for turn in turns}
    return [f"{arm} is left out: {why}" for arm, why in whys.items() if why]


def pair(place: Place, side: str) -> tuple[Replica, Replica]:
    """The victim and the neighbour of a side. Raises LabError where it has one replica only."""
    try:
        return place.replica(side, 0), place.replica(side, 1)
    except IndexError:
        raise LabError(
            f"The side {side} has one replica, and a neighbour is a second one.",
            hint=f"pulumi config set replicas 2 -s {place.lab}; ./lab up {place.lab}",
        ) from None


def _limited(turn: Turn) -> bool:
    return turn.factors[LIMITS] == LIMITED


def _too_small(turn: Turn, load: Load, there: burden.Room) -> str:
    return burden.too_small(FAULTS[turn.factors[FAULT]], load, there, limited=_limited(turn))


def _room(run: Runner) -> burden.Room:
    return burden.room(run(["sh", "-c", burden.ROOM]).output)


def _load(place: Place, beside: Replica) -> Load:
    cpus = int(place.run(beside)(["nproc"]).output)
    contract = place.contract
    return Load(DURING_S[contract.accelerator], cpus, contract.memory_mib, place.server(beside).address)


def _probed(
    place: Place, turn: Turn, victim: Replica, beside: Replica, load: Load
) -> tuple[Mapping[str, list[Sample]], Lived]:
    settings = Settings(
        *([victim.url], place.folder, _stream(turn)),
        reads_per_s=PER_S[place.contract.accelerator],
        writes_per_s=0,
        deadline_s=DEADLINE_S,
        duration_s=BEFORE_S + AFTER_S + 3 * _WITHIN_S,
    )
    with probing(settings, _WITHIN_S) as prober:
        begin_s = prober.now_s()
        time.sleep(BEFORE_S)
        how = neighbour.live(place, beside, FAULTS[turn.factors[FAULT]], load)
        time.sleep(AFTER_S)
        begun_s, ended_s, end_s = prober.at(how.begun_s), prober.at(how.ended_s), prober.now_s()
    samples = list(prober.result.samples())
    until_s = min(ended_s, begun_s + load.seconds)
    bounds = ((begin_s, begin_s + BEFORE_S), (begun_s, until_s), (ended_s, end_s))
    return {
        name: within(samples, from_s=low, to_s=high) for name, (low, high) in zip(WINDOWS, bounds, strict=True)
    }, how


def values(found: Mapping[str, Summary]) -> dict[str, float]:
    """p50 and p99 in ms and lost requests of each window, and by how much the p99 grew. Pure.

    A p99 of 8 ms before and of 20 ms while the neighbour misbehaves: 12 ms. A window without a good answer has no p99.
    """
    told: dict[str, float] = {}
    for name, one in found.items():
        if one.latency is not None:
            told[f"{name}_p50_ms"] = round(one.latency.p50_s * 1e3, 3)
            told[f"{name}_p99_ms"] = round(one.latency.p99_s * 1e3, 3)
        told[f"{name}_lost"] = float(one.failed)
    if {"before_p99_ms", "during_p99_ms"} <= told.keys():
        grown = told["during_p99_ms"] - told["before_p99_ms"]
        told["p99_grows_by_ms"] = round(max(LEAST_MS, grown), 3)
    return told


def survives(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> str:
    """Whether who answered before is who answers after, in words. Pure."""
    if after is None:
        return "no: it does not answer"
    if before.get("boot_id") != after.get("boot_id"):
        return "no: its kernel was started anew"
    if before.get("pid") != after.get("pid"):
        return "no: its service was started anew"
    return "yes"


def _serves_again(place: Place, beside: Replica) -> None:
    """The neighbour's own service may have gone with what it did; its init or its engine starts it again."""

    def serves() -> bool:
        return not steady.wrong(beside, place.contract.service_version)

    if not until(serves, _WITHIN_S, 0.5):
        steady.bring_back(place)


def _stream(turn: Turn) -> str:
    return "-".join(("neighbours", turn.side, *turn.factors.values(), str(turn.number)))


EXPERIMENT = Experiment(
    name="neighbours",
    question="A replica's neighbour misbehaves: who notices it, who ends it?",
    prediction="How much longer does the slowest answer in a hundred take beside a neighbour that burns CPU?",
    turns=turns,
    measure=measure,
    restore=neighbour.restore,
    full=full,
    estimate_s=lambda _turn: _TURN_S,
    lacks=lacks,
)
