"""Experiment *latency*: how long connecting takes, kernel to kernel, and how long an answer does, along each path."""

from __future__ import annotations

from collections.abc import Sequence

from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.measure.experiment import Experiment, Place, Seen, Turn
from labkit.measure.prober.handle import probing
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import Quantiles, quantiles, summarise
from labkit.system.errors import LabError
from labs.networking import impairment
from labs.networking.arms import ADDRESS, BRIDGED, ONE_SIDE, PATH, PUBLISHED
from labs.networking.impairment import NETWORK

REPEATS, DELAYED_REPEATS = 6, 2
QUICK_REPEATS = QUICK_DELAYED_REPEATS = 1
PER_S = {"kvm": 100.0, "tcg": 20.0}
"""Accelerator -> requests a second, the same along every path. An emulated guest spends 10 ms on each."""
SECONDS, DEADLINE_S = 4.0, 2.0

START_LINE = "a request's scheduled time"
FINISH_LINE = "its answer, whole; connecting ends with the other kernel's SYN-ACK"

_STEADY_WITHIN_S = 60.0
_END_WITHIN_S = 30.0


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Each path in turn, plain and delayed."""
    if quick:
        return impairment.turns(sides, QUICK_REPEATS, QUICK_DELAYED_REPEATS)
    return impairment.turns(sides, REPEATS, DELAYED_REPEATS, warm_ups=1)


def measure(place: Place, turn: Turn) -> Seen:
    """A few seconds of requests on a clock, from the laptop."""
    return impairment.behind(place, turn, _measure)


def _measure(place: Place, turn: Turn, replica: Replica) -> Seen:
    per_s = PER_S[place.contract.accelerator]
    stream = f"latency-{turn.factors[PATH]}-{turn.factors[NETWORK]}-{turn.number}"
    settings = Settings(
        *([replica.url], place.folder, stream),
        reads_per_s=per_s,
        writes_per_s=0,
        deadline_s=DEADLINE_S,
        duration_s=SECONDS,
    )
    with probing(settings, _STEADY_WITHIN_S) as prober:
        prober.wait_end(SECONDS + _END_WITHIN_S)
        samples = list(prober.result.samples())
    return Seen(
        values(samples),
        conditions={
            "start_line": START_LINE,
            "finish_line": FINISH_LINE,
            "client": f"open loop, {per_s:g} reads a second, a new connection each, deadline {DEADLINE_S:g} s",
            "cache": "warm",
        },
        stream=stream,
        marks=summarise(samples).marks,
        replica=replica,
    )


def values(samples: Sequence[Sample]) -> dict[str, float]:
    """Connecting, answering and both from the scheduled time on, in ms, of the good answers. Pure.

    A connection of 400 us, an answer 5 ms after the request was sent: connect 0.4, answer 4.6.
    """
    good = [one for one in samples if one.good and one.sent_s is not None and one.connect_us]
    connect = quantiles((one.connect_us or 0) / 1e3 for one in good)
    answer = quantiles((one.done_s - (one.sent_s or 0.0)) * 1e3 - (one.connect_us or 0) / 1e3 for one in good)
    latency = quantiles(one.latency_s * 1e3 for one in good)
    if connect is None or answer is None or latency is None:
        raise LabError("None of the requests was answered as it should.", hint="./lab status")
    found = {**_named("connect", connect), **_named("answer", answer), **_named("latency", latency)}
    return {**found, "failed_requests": float(sum(one.failed for one in samples))}


def _named(what: str, found: Quantiles) -> dict[str, float]:
    return {f"{what}_p50_ms": round(found.p50_s, 3), f"{what}_p99_ms": round(found.p99_s, 3)}


def restore(place: Place) -> None:
    """Nothing is delayed any more."""
    impairment.undo(place)


EXPERIMENT = Experiment(
    name="latency",
    question="How long does connecting take, and how long an answer, along each path?",
    prediction="Which path connects fastest, which slowest? What does translating a port add?",
    turns=turns,
    measure=measure,
    restore=restore,
)

CONNECT = Metric(
    "connect_ms",
    "ms",
    "Median time from a connection's first packet (SYN) to its answer (SYN-ACK), as the laptop's kernel measures it: "
    "no program takes part on either end.",
    experiment="latency",
    value="connect_p50_ms",
    example=0.42,
)
CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="connects-slower",
        row="Networking",
        text="Connecting to a VM on the LAN takes longer than to a container with an address of its own there.",
        metric=CONNECT,
        greater=impairment.arm(BRIDGED),
        other=impairment.arm(ADDRESS),
        effect=1.5,
        bound_by="cpu",
        because="a tap hands the packet to QEMU or vhost, virtio puts it into the guest's memory, an interrupt wakes "
        "the guest's CPU, and the answer goes the same way back; a macvlan hands it to the same kernel.",
        effect_because="both are a fraction of a millisecond, of which a client notices nothing below half as much "
        "again",
    ),
    Measured(
        name="translated-connects-slower",
        row="Networking",
        text="Connecting to a container's published port takes longer than to a container with an address of its own.",
        metric=CONNECT,
        greater=impairment.arm(PUBLISHED),
        other=impairment.arm(ADDRESS),
        effect=1.2,
        bound_by="cpu",
        because="a connection's first packet goes through the rules of the table nat and gets an entry in the table "
        "of connections; then each is routed to another bridge and through a veth.",
        effect_because="medians on one machine differ by some per cent from run to run without any cause in the paths",
        beside=ONE_SIDE,
    ),
)
