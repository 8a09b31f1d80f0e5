"""Experiment *requests*: the CPU time of a request beyond the service's own, and how many a second a path carries."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.lifecycle import steady
from labkit.measure.experiment import Experiment, Place, Seen, Turn
from labkit.measure.prober.handle import probing
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import Summary, summarise
from labkit.sides import Runner
from labs.networking import cpu, impairment
from labs.networking.arms import ADDRESS, BRIDGED

COST, LIMIT = "cost", "limit"
REPEATS, LIMIT_REPEATS, DELAYED_REPEATS = 6, 2, 1
PER_S = {"kvm": 200.0, "tcg": 25.0}
"""Accelerator -> requests a second while their CPU time is measured, the same along every path."""
SECONDS, DEADLINE_S = 10.0, 2.0
"""Of the requests; before and after them half as long each, in which nobody asks: what drifts is in both."""
RUNGS = (32, 64, 128, 256, 512, 1024)
RUNG_S, RUNG_DEADLINE_S = 1.0, 1.0

CLIENT = "open loop, {per_s:g} reads a second, a new connection each, deadline {deadline_s:g} s"
START_LINE = {COST: "a request's scheduled time", LIMIT: f"{RUNGS[0]} connections a second, doubled from step to step"}
FINISH_LINE = {COST: "its answer, whole", LIMIT: "the first step in which a request failed"}

_END_WITHIN_S = 30.0


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """The cost of each path in turn, then its limit, which no claim rests on; then the cost behind delay and loss."""
    repeats, limits, delayed = (1, 1, 0) if quick else (REPEATS, LIMIT_REPEATS, DELAYED_REPEATS)
    cost = impairment.turns(sides, repeats, delayed, actions=(COST,))
    limit = impairment.turns(sides, limits, 0, actions=(LIMIT,))
    return (*cost, *limit)


def measure(place: Place, turn: Turn) -> Seen:
    """Load it for a while, or more and more until a request fails."""
    return impairment.behind(place, turn, _ACTIONS[turn.action])


def _cost(place: Place, _turn: Turn, replica: Replica) -> Seen:
    run, inside = place.run(replica), place.inside(replica)
    per_s = PER_S[place.contract.accelerator]
    own = ["cat", f"/proc/{int(steady.whoami(replica)['pid'])}/stat"]
    before = _idle(run)
    service_s = cpu.process_s(inside(own))
    begin = cpu.read(run)
    # A reading costs the server CPU time as well: there is one for each half of the idle time, so one for each of this.
    cpu.read(run)
    found, client_s = _probe(replica, per_s, SECONDS, DEADLINE_S)
    end = cpu.read(run)
    service_s = cpu.process_s(inside(own)) - service_s
    costs = cpu.between(begin, end).beyond(cpu.both(before, _idle(run)))
    told = values(costs.busy_s - client_s - service_s, service_s, costs, found.good)
    facts = {"client_cpu_s": round(client_s, 3), "requests": found.requests, "outcomes": dict(found.outcomes)}
    return Seen(
        told,
        facts=facts if REQUESTS.value in told else {**facts, f"no_{REQUESTS.value}": cpu.UNTOLD},
        conditions=_conditions(COST, CLIENT.format(per_s=per_s, deadline_s=DEADLINE_S)),
        marks=found.marks,
        replica=replica,
    )


def _idle(run: Runner) -> cpu.Used:
    begin = cpu.read(run)
    time.sleep(SECONDS / 2)
    return cpu.between(begin, cpu.read(run))


def values(beyond_s: float, service_s: float, costs: cpu.Used, good: int) -> dict[str, float]:
    """CPU seconds for 1,000 good answers: beyond the service, of the service, of the server's group. Pure.

    100 answers, for which 0.3 s were used beyond the service's own 0.2 s: 3 and 2.
    """
    found = {
        "thousand_requests_cpu_s": beyond_s,
        "thousand_requests_service_cpu_s": service_s,
        "thousand_requests_group_cpu_s": costs.group_s,
    }
    share = 1000 / max(1, good)
    return cpu.told({name: used * share for name, used in found.items()})


def _limit(_place: Place, _turn: Turn, replica: Replica) -> Seen:
    rungs: list[dict[str, Any]] = []
    for per_s in RUNGS:
        found, _ = _probe(replica, per_s, RUNG_S, RUNG_DEADLINE_S)
        late_ms = found.scheduling.p99_s * 1e3 if found.scheduling else 0.0
        rung = {"per_s": per_s, "good": found.good, "failed": found.failed, "client_late_ms": round(late_ms, 1)}
        rungs.append({**rung, "outcomes": dict(found.outcomes)})
        if found.failed or found.unsent:
            break
    ended_by = ended(rungs)
    return Seen(
        {"connections_per_s": carried(rungs)},
        facts={"steps": rungs, "ended_by": ended_by},
        conditions=_conditions(LIMIT, f"open loop, {RUNG_S:g} s a step, deadline {RUNG_DEADLINE_S:g} s"),
        marks=() if ended_by != "client" else ("the client could not send more: the path may carry more",),
        replica=replica,
    )


def carried(steps: Sequence[dict[str, Any]]) -> float:
    """The last step in which no request failed and each was sent; 0 where the first one had one. Pure."""
    return float(max((one["per_s"] for one in steps if one["good"] and _whole(one)), default=0))


def ended(steps: Sequence[dict[str, Any]]) -> str:
    """What ended the steps: a "failure", the "client", who could not send more, or the "last" of them. Pure."""
    if _whole(steps[-1]):
        return "last"
    return "failure" if steps[-1]["failed"] else "client"


def _whole(step: dict[str, Any]) -> bool:
    return not step["outcomes"]


def _probe(replica: Replica, per_s: float, seconds: float, deadline_s: float) -> tuple[Summary, float]:
    """What requests on a clock met; and the client's CPU time: the prober's, and ours while we wait for it."""
    mine_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            *([replica.url], Path(folder)),
            reads_per_s=per_s,
            writes_per_s=0,
            deadline_s=deadline_s,
            duration_s=seconds,
        )
        with probing(settings, None) as prober:
            prober.wait_end(seconds + deadline_s + _END_WITHIN_S)
        found, record = summarise(prober.result.samples()), prober.result.record
    return found, (record.cpu_s or 0.0) + time.process_time() - mine_s


def _conditions(action: str, client: str) -> dict[str, str]:
    lines = {"start_line": START_LINE[action], "finish_line": FINISH_LINE[action]}
    return {**lines, "client": client, "cache": "warm"}


_ACTIONS: dict[str, Callable[[Place, Turn, Replica], Seen]] = {COST: _cost, LIMIT: _limit}


def restore(place: Place) -> None:
    """Nothing is delayed any more."""
    impairment.undo(place)


EXPERIMENT = Experiment(
    name="requests",
    question="What does a request cost in CPU time beyond the service's own, and how many a second does a path carry?",
    prediction="How many times as much CPU time does a request to a VM cost, the service's own work left out?",
    turns=turns,
    measure=measure,
    restore=restore,
)

REQUESTS = Metric(
    "thousand_requests_cpu_s",
    "s",
    "CPU seconds of the server's whole kernel for 1,000 requests, each on a connection of its own: beyond what the "
    "server uses when nobody asks, and without the service's own process and the client.",
    experiment="requests",
    action=COST,
    value="thousand_requests_cpu_s",
    example=1.7,
)
CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="a-request-costs-more-cpu",
        row="Networking",
        text="A request to a VM on the LAN costs its server more CPU time, beyond the service's own, than one to a "
        "container with an address of its own.",
        metric=REQUESTS,
        greater=impairment.arm(BRIDGED),
        other=impairment.arm(ADDRESS),
        effect=1.5,
        bound_by="cpu",
        because="some ten packets a request go through two network stacks instead of one, with exits of the guest and "
        "interrupts into it, and QEMU or vhost runs for each of them.",
        reference="Felter et al., 2014: many small messages cost a VM up to 1.8 times as much as a container.",
        effect_because="less than half as much again disappears beside what a service does for a request",
    ),
)
