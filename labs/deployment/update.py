"""Experiment *update*: version 1 to 2 and back under load, on each side in each of its ways."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra import answers
from infra.outputs import Replica
from infra.sides import KINDS
from labkit.judge.model import Claim, Measured, Metric, Observation, Observed
from labkit.lifecycle import change, steady, strays
from labkit.measure.experiment import Experiment, Place, Seen, Turn
from labkit.measure.prober.handle import Prober, probing
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import summarise, within
from labkit.measure.switch import Switch, switching
from labkit.runs.records import Arm, Run
from labkit.system.errors import LabError
from labs.deployment.sides.updating import CLEAN, WAYS, Way

REPEATS, ONE_SIDED_REPEATS, QUICK_REPEATS = 6, 2, 1
"""Of ways that both sides have, which a verdict compares; of those that one side has alone, which are only shown."""
LASTING_S = 5.0
"""So long the new version must answer without a failure before its phase ends."""
BEFORE_S, STEADY_WITHIN_S = 2.0, 60.0
GOOD_WITHIN_S = 180.0
_POLL_S, _ASK_S = 0.5, 2.0

LOAD = {"kvm": (50.0, 10.0, 1.0), "tcg": (4.0, 1.0, 3.0)}
"""Accelerator -> reads and writes a second and the deadline of each, the same on both sides. An emulated guest spends
10 ms on each request, more while Ansible works beside it: what it cannot carry would be lost without any update."""

START_LINE = "the order to update"
FINISH_LINE = "first answer of the new version, at the client's unchanged address"


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Each way of each side in turn; no warm-up, as a first update is the one that counts."""
    sides = [side for side in sides if side in WAYS]
    ways = [[(side, way) for way in WAYS[side]] for side in sides]
    order = [pair for pairs in zip(*ways, strict=True) for pair in pairs]
    shared = [way for _, way in order]

    def repeats(way: str) -> int:
        both = shared.count(way) == len(sides)
        return QUICK_REPEATS if quick else REPEATS if both else ONE_SIDED_REPEATS

    return tuple(
        Turn(side, number, way) for number in range(1, REPEATS + 1) for side, way in order if number <= repeats(way)
    )


def measure(place: Place, turn: Turn) -> Seen:
    """One update and its roll back, while the prober reads and writes at the switch's address."""
    replica, way = place.replica(turn.side), WAYS[turn.side][turn.action]
    old = place.contract.service_version
    new = following(old)
    reads, writes, deadline_s = LOAD[place.contract.accelerator]
    stream = f"update-{turn.side}-{turn.action.replace(' ', '-')}-{turn.number}"
    with (
        switching(replica.url) as switch,
        probing(
            Settings([switch.url], place.folder, stream, reads_per_s=reads, writes_per_s=writes, deadline_s=deadline_s),
            STEADY_WITHIN_S,
        ) as prober,
    ):
        time.sleep(BEFORE_S)
        trial = _Trial(place, replica, way, switch, prober)
        phases = {"update": trial.bring_to(new), "rollback": trial.bring_to(old)}
        result = prober.stop()
        ledger = result.audit([switch.url])
    samples = list(result.samples())
    values: dict[str, float] = {}
    for name, (begin_s, first_s, end_s) in phases.items():
        values |= {f"{name}_s": round(first_s - begin_s, 3), **lost(name, within(samples, from_s=begin_s, to_s=end_s))}
    client = f"open loop, {reads:g} reads and {writes:g} writes a second, deadline {deadline_s:g} s, through a switch"
    account: dict[str, Any] = {
        "acknowledged": ledger.acknowledged,
        "lost": list(ledger.lost),
        "doubled": list(ledger.doubled),
        "changed": list(ledger.changed),
    }
    return Seen(
        {**values, "acknowledged_writes": ledger.acknowledged, "lost_writes": len(ledger.lost)},
        facts={"ledger": account, "phases_s": phases, "versions": [old, new, old]},
        conditions={"start_line": START_LINE, "finish_line": FINISH_LINE, "client": client, "cache": "warm"},
        stream=stream,
        marks=summarise(samples).marks,
    )


def lost(name: str, samples: Iterable[Sample]) -> dict[str, float]:
    """Requests that failed in a phase, and its longest time without a good answer. Pure."""
    samples = list(samples)
    return {
        f"{name}_lost_requests": float(sum(one.failed for one in samples)),
        f"{name}_lost_writes_unacknowledged": float(sum(one.failed for one in samples if one.kind == "write")),
        f"{name}_gap_s": round(summarise(samples).longest_gap_s, 3),
    }


def following(version: str) -> str:
    """The version to which another is updated: 1 -> 2; what is no number gets "-next". Pure."""
    return str(int(version) + 1) if version.isdecimal() else f"{version}-next"


@dataclass(frozen=True)
class _Trial:
    place: Place
    replica: Replica
    way: Way
    switch: Switch
    prober: Prober

    def bring_to(self, version: str) -> tuple[float, float, float]:
        """When it began, when the version first answered, and when that had lasted, on the prober's clock."""
        self.place.progress.detail(f"version {version}")
        with _first_answer(self.switch.url, version) as first:
            begin_s = self.prober.now_s()
            self.way(self.place, self.replica, self.switch, version)
            self.prober.wait_good(GOOD_WITHIN_S, for_s=LASTING_S, after_s=self.prober.now_s())
        if not first:
            raise LabError(f"{self.replica.name} never answered with version {version}.", hint="./lab status")
        return begin_s, self.prober.at(first[0]), self.prober.now_s()


@contextmanager
def _first_answer(url: str, version: str) -> Iterator[list[float]]:
    """While inside: gets the instant (monotonic) at which /whoami first told this version; asked each _POLL_S."""
    first: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_S):
            try:
                if answers.whoami(url, _ASK_S).get("version") == version:
                    first.append(time.monotonic())
                    return
            except answers.UnansweredError:
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield first
    finally:
        over.set()
        thread.join(2 * _ASK_S)


def restore(place: Place) -> None:
    """The version of the stack's file on both sides, the replicas that were there, nothing beside them."""
    whole = all(not steady.wrong(replica, place.contract.service_version) for replica in place.contract.replicas)
    if not whole or strays.find(place):
        change.as_committed(place)
    for replica in place.contract.replicas:
        CLEAN[replica.side](place, replica)
    steady.bring_back(place)


EXPERIMENT = Experiment(
    name="update",
    question="Version 1 to 2 and back, under load: how many requests are lost, how long does it take?",
    prediction="Which side loses fewer requests when it is updated?",
    turns=turns,
    measure=measure,
    restore=restore,
)

VM, CONTAINER = Arm("vm"), Arm("container")
BOTH = (VM, CONTAINER)
_FAULTS = ("lost", "doubled", "changed")
"""What may have happened to an acknowledged write; see labkit.measure.prober._ledger."""


def nothing_lost(run: Run) -> Observation | None:
    """All that was acknowledged in any update or roll back is stored, once, as it was sent."""
    found = run.experiment("update")
    repeats = [one for one in found.repeats if not one.problem and "ledger" in one.facts] if found else []
    if not all(any(arm.covers(one.arm) for one in repeats) for arm in BOTH):
        return None
    ledgers: dict[str, list[Mapping[str, Any]]] = {}
    for one in repeats:
        ledgers.setdefault(f"{KINDS[one.side].word} {one.action}", []).append(one.facts["ledger"])
    sound = not any(ledger[fault] for way in ledgers.values() for ledger in way for fault in _FAULTS)
    return Observation(sound, {way: _told(one) for way, one in ledgers.items()})


def _told(ledgers: Sequence[Mapping[str, Any]]) -> str:
    acknowledged = sum(ledger["acknowledged"] for ledger in ledgers)
    faults = (f"{sum(len(ledger[fault]) for ledger in ledgers)} {fault}" for fault in _FAULTS)
    return f"{acknowledged} writes acknowledged, {', '.join(faults)}, n = {len(ledgers)}"


CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="replacing-interrupts-longer",
        row="Deployment",
        text="Replaced by a new version, a VM is out of reach for longer than a container.",
        metric=Metric(
            "replaced_gap_s",
            "s",
            "The longest time without a good answer while a replica is replaced by one of another version.",
            experiment="update",
            action="replaced",
            value="update_gap_s",
            example=1.4,
        ),
        greater=VM,
        other=CONTAINER,
        effect=1.5,
        bound_by="cpu",
        because="a new guest boots and is configured before it answers, and the data on its old disk must be carried "
        "over; a new container takes over the volume and starts the service.",
        effect_because="repeats on one busy machine differ by tens of per cent",
    ),
    Observed(
        name="updates-lose-nothing-acknowledged",
        row="Deployment",
        text="From version 1 to 2 and back, in each way of both sides, no acknowledged write is lost.",
        experiment="update",
        observe=nothing_lost,
        because="the service answers only when a write is on the disk, and each way keeps it or carries it over.",
    ),
)
