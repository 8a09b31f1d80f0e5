"""Experiment *throughput*: how fast data goes along each path, both ways, and the CPU time that a GiB costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.measure.experiment import Experiment, Place, Seen, Turn
from labkit.sides import Runner
from labkit.system.errors import LabError
from labs.networking import cpu, far_end, impairment
from labs.networking.arms import ADDRESS, BRIDGED, ONE_SIDE, PUBLISHED

REPEATS, DELAYED_REPEATS = 6, 1
QUICK_REPEATS, QUICK_DELAYED_REPEATS = 1, 0
SECONDS = 2
"""Of each stream, and of the idle window beside it."""
GIB, MIB = 2**30, 2**20

START_LINE = f"iperf3 in the replica begins to send, or to receive, for {SECONDS} s over TCP"
FINISH_LINE = "what the receiver has counted"

_SLOW_S = 60.0


@dataclass(frozen=True)
class Flow:
    """One way in which data goes."""

    name: str
    streams: int
    words: tuple[str, ...]


FLOWS = tuple(
    Flow(f"{direction}_{streams}", streams, ("--parallel", str(streams), *words))
    for streams in (1, 4)
    for direction, words in (("sent", ()), ("received", ("--reverse",)))
)
"""Directions are the replica's."""

INSIDE = (
    cpu.BUSY
    + """
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
busy
"$@"
busy
"""
)
"""In a replica: a command, with all CPU time of the kernel before and after it."""


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Each path in turn, plain and delayed; no warm-up: each stream has its slow start in it."""
    if quick:
        return impairment.turns(sides, QUICK_REPEATS, QUICK_DELAYED_REPEATS)
    return impairment.turns(sides, REPEATS, DELAYED_REPEATS)


def measure(place: Place, turn: Turn) -> Seen:
    """One and four streams, both ways, one after the other, and a window in which nothing is sent."""
    return impairment.behind(place, turn, _measure)


def _measure(place: Place, _turn: Turn, replica: Replica) -> Seen:
    run, inside = place.run(replica), place.inside(replica)
    with far_end.far_end(place) as end:
        # Whatever entering the replica costs is in both windows.
        _, idle, idle_guest_s = _window(run, inside, ["sleep", str(SECONDS)])
        values: dict[str, float] = {"idle_busy_s": round(idle.busy_s, 3)}
        facts: dict[str, Any] = {}
        for flow in FLOWS:
            client = ["iperf3", "--client", end.address, "--port", str(far_end.PORT), "--time", str(SECONDS)]
            said, used, guest_s = _window(run, inside, [*client, "--json", *flow.words])
            told = parse(said)
            costs = used.beyond(idle)
            guest = None if guest_s is None else guest_s - (idle_guest_s or 0.0)
            found = per_gib(told, costs, guest)
            values |= {f"{flow.name}_{name}": value for name, value in found.items()}
            facts[flow.name] = told if "gib_cpu_s" in found else {**told, "no_gib_cpu_s": cpu.UNTOLD}
    return Seen(
        values,
        facts=facts,
        conditions={"start_line": START_LINE, "finish_line": FINISH_LINE, "client": "none", "cache": "warm"},
        replica=replica,
    )


def _window(run: Runner, inside: Runner, words: Sequence[str]) -> tuple[str, cpu.Used, float | None]:
    """What a command in the replica prints; the server's CPU time meanwhile; the guest's, where it has a kernel."""
    before = cpu.read(run)
    lines = inside(["sh", "-c", INSIDE, "sh", *words], _SLOW_S).output.splitlines()
    after = cpu.read(run)
    boot, ticks = lines[0].removeprefix("boot_id "), [int(lines[at].split()[1]) for at in (1, -1)]
    own = boot != run(["cat", "/proc/sys/kernel/random/boot_id"]).output.strip()
    return "\n".join(lines[2:-1]), cpu.between(before, after), (ticks[1] - ticks[0]) / cpu.TICKS_PER_S if own else None


def parse(text: str) -> dict[str, float]:
    """Bytes, seconds, repeated segments and the far end's CPU time out of iperf3's JSON. Raises LabError with its
    error.
    """
    told = json.loads(text)
    if "error" in told:
        raise LabError(f"iperf3 could not send: {told['error']}", hint="./lab status")
    end = told["end"]
    received, sent = end["sum_received"], end["sum_sent"]
    return {
        "bytes": float(received["bytes"]),
        "seconds": float(received["seconds"]),
        "retransmits": float(sent.get("retransmits", 0)),
        "far_end_cpu_s": end["cpu_utilization_percent"]["remote_total"] / 100 * float(received["seconds"]),
    }


def per_gib(told: Mapping[str, float], costs: cpu.Used, guest_s: float | None) -> dict[str, float]:
    """MiB a second, and CPU seconds a GiB: of the server, of its control group, of the guest. Pure.

    The far end is on the same machine as a local server, so that its own CPU time is taken off the server's. 2 GiB in
    2 s, for which 3 s of CPU time were used, 1 s by the far end: 1024 MiB/s, 1 s/GiB.
    """
    gib = told["bytes"] / GIB
    if not gib:
        raise LabError("iperf3 got no byte across.", hint="./lab status")
    found = {
        "mib_per_s": told["bytes"] / MIB / told["seconds"],
        "gib_cpu_s": (costs.busy_s - told["far_end_cpu_s"]) / gib,
        "gib_group_cpu_s": costs.group_s / gib,
        "gib_guest_cpu_s": float("nan") if guest_s is None else guest_s / gib,
    }
    return cpu.told(found)


def restore(place: Place) -> None:
    """The far end is gone, and nothing is delayed any more."""
    far_end.remove(place)
    impairment.undo(place)


EXPERIMENT = Experiment(
    name="throughput",
    question="How fast does data go along each path, and what does a GiB cost in CPU time?",
    prediction="Which path carries most? How many times as much CPU time does a GiB to or from a VM cost?",
    turns=turns,
    measure=measure,
    restore=restore,
)

_DEFINITION = (
    "CPU seconds of the server's whole kernel for each GiB that one stream of TCP has {way} the replica: beyond what "
    "the server uses when nothing is sent, and without what the other end uses itself."
)
SENT, RECEIVED = (
    Metric(
        f"{flow}_gib_cpu_s",
        "s",
        _DEFINITION.format(way=way),
        experiment="throughput",
        value=f"{flow}_1_gib_cpu_s",
        example=0.9,
    )
    for flow, way in (("sent", "carried from"), ("received", "carried to"))
)

_TWICE = "a GiB is hours of most services' traffic: less than half as much again is lost in what they do beside it"
_COPIES = (
    "each packet goes through two network stacks and is copied between server and guest, with an exit of the guest or "
    "an interrupt into it on the way; a container's is handed on by reference within one kernel."
)
_TRANSLATES = (
    "every packet is looked up in the table of connections, rewritten, routed and handed through a bridge and a veth; "
    "with an address of its own it goes from the server's bridge to the container's adapter."
)
CLAIMS: tuple[Claim, ...] = (
    *(
        Measured(
            name=f"a-gib-{word}-costs-more-cpu",
            row="Networking",
            text=f"A GiB {word} by a VM on the LAN costs its server more CPU time than one by a container there.",
            metric=metric,
            greater=impairment.arm(BRIDGED),
            other=impairment.arm(ADDRESS),
            effect=1.5,
            bound_by="cpu",
            because=_COPIES,
            effect_because=_TWICE,
        )
        for word, metric in (("sent", SENT), ("received", RECEIVED))
    ),
    Measured(
        name="a-translated-gib-costs-more-cpu",
        row="Networking",
        text="A GiB received by a container through translated ports costs more CPU time than one by its own address.",
        metric=RECEIVED,
        greater=impairment.arm(PUBLISHED),
        other=impairment.arm(ADDRESS),
        effect=1.2,
        bound_by="cpu",
        because=_TRANSLATES,
        effect_because="repeats on one busy machine differ by tens of per cent",
        beside=ONE_SIDE,
    ),
)
