"""What the lab claims of the row "Fault tolerance", with the mechanism or the timer that makes each number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.sides import KINDS
from labkit.judge.model import Claim, Measured, Metric, Observation, Observed
from labkit.judge.observed import seen
from labkit.measure.faults import Fault
from labkit.runs.records import Arm, Repeat, Run
from labs.failover import faults
from labs.failover.breaking import EXPERIMENTS
from labs.failover.sides.cluster import DEFAULT, MATCHED

ROW = "Fault tolerance"
VM, CONTAINER = Arm("vm"), Arm("container")
QUICKLY_S = 5.0
"""What "quickly" is taken to mean: who waits for a page gives up about then."""

_FAULTS = ("lost", "doubled", "changed")
_BOOTS = "its guest boots a kernel, an init and Python, where a container starts a process"


def restarted(vm: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """The VM runs in another server, as the same domain, on another boot, and what it had acknowledged is there."""
    before, after, ledger = vm["before"], vm["after"], vm["ledger"]
    told = {
        "its OS was booted anew": before["boot"] != after["boot"],
        "it is the same VM": before["id"] == after["id"],
        "it runs in another server": before["server"] != after["server"],
        "its disk has all that it had acknowledged": not any(ledger[fault] for fault in _FAULTS),
    }
    return all(told.values()), told


def made_anew(container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """Another container runs in another server."""
    before, after = container["before"], container["after"]
    told = {
        "it is another container": before["id"] != after["id"],
        "it runs in another server": before["server"] != after["server"],
    }
    return all(told.values()), told


def quickly(run: Run) -> Observation | None:
    """Every outage of the container with default timers is within QUICKLY_S."""
    found = run.experiment(faults.SERVER_KILLED.name)
    arm = Arm("container", {"timers": DEFAULT})
    took = [one.values["outage_s"] for one in found.of(arm) if one.counts and "outage_s" in one.values] if found else []
    if not took:
        return None
    return Observation(
        max(took) <= QUICKLY_S, {"longest outage_s": max(took), "shortest outage_s": min(took), "n": len(took)}
    )


def _measured(run: Run) -> Iterator[Repeat]:
    for experiment in EXPERIMENTS:
        found = run.experiment(experiment.name)
        yield from (one for one in (found.repeats if found else ()) if not one.problem and "ledger" in one.facts)


def nothing_lost(run: Run) -> Observation | None:
    """Whatever was broken: all that was acknowledged is stored, once, as it was sent."""
    repeats = list(_measured(run))
    if not {"vm", "container"} <= {one.side for one in repeats}:
        return None
    told = {}
    for side in dict.fromkeys(one.side for one in repeats):
        ledgers: Sequence[Mapping[str, Any]] = [one.facts["ledger"] for one in repeats if one.side == side]
        count = sum(ledger["acknowledged"] for ledger in ledgers)
        faulty = (f"{sum(len(ledger[fault]) for ledger in ledgers)} {fault}" for fault in _FAULTS)
        told[KINDS[side].word] = f"{count} writes acknowledged, {', '.join(faulty)}, n = {len(ledgers)}"
    return Observation(not any(one.facts["ledger"][fault] for one in repeats for fault in _FAULTS), told)


@dataclass(frozen=True)
class _Said:
    """What is claimed of one fault's outage."""

    text: str
    because: str
    waits: bool
    """Whether a periodic timer passes first."""


_OF = {
    faults.SERVICE_KILLED: _Said(
        "Its service killed",
        "a guest's init starts the service again at once, Swarm makes the container anew after its restart delay; an "
        "emulated CPU takes seconds for Python.",
        waits=False,
    ),
    faults.REPLICA_KILLED: _Said(
        "Killed itself", f"its manager notices either within a second or two; then {_BOOTS}.", waits=False
    ),
    faults.SERVER_KILLED: _Said(
        "Its server dead",
        f"Corosync's token and consensus, or Swarm's three heartbeats, pass; then {_BOOTS}.",
        waits=True,
    ),
    faults.LEADER_KILLED: _Said(
        "Its server dead, which decided for the cluster",
        f"Corosync's members agree on a coordinator at once, Swarm's elect a leader, which then waits anew; {_BOOTS}.",
        waits=True,
    ),
    faults.SERVER_CUT: _Said(
        "Its server cut off",
        f"the majority waits as for a dead one, and Pacemaker has it switched off; then {_BOOTS}.",
        waits=True,
    ),
    faults.SERVER_DRAINED: _Said(
        "Its server drained", f"there is nothing to notice: one is stopped, one is started; {_BOOTS}.", waits=False
    ),
}


def _longer(fault: Fault, said: _Said) -> Iterator[Measured]:
    metric = Metric(
        f"{fault.name.replace('-', '_')}_outage_s",
        "s",
        f"The client's outage around the fault {fault.name}: last good answer before, to the first lasting one after.",
        experiment=fault.name,
        value="outage_s",
        example=12.4,
    )
    for profile, whose in ((DEFAULT, "each project's own timers"), (MATCHED, "timers that notice at the same time")):
        factors = {"timers": profile}
        yield Measured(
            name=f"{fault.name}-longer-{profile.split()[0]}",
            row=ROW,
            text=f"{said.text}, a VM is out of reach for longer than a container, with {whose}.",
            metric=metric,
            greater=Arm("vm", factors),
            other=Arm("container", factors),
            effect=1.25,
            bound_by="cpu",
            because=said.because,
            heartbeat=said.waits,
            effect_because="the timers' phase alone moves an outage by as much",
        )


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="vm-restarts-elsewhere",
        row=ROW,
        text="After its server died the VM's OS restarted in another server, with its disk and at its address.",
        experiment=faults.SERVER_KILLED.name,
        observe=seen(faults.SERVER_KILLED.name, [VM], restarted),
        because="its disk lies on storage that the servers share; the cluster boots it where there is a server left.",
    ),
    Observed(
        name="container-made-anew-elsewhere",
        row=ROW,
        text="After its server died another container was made in another server.",
        experiment=faults.SERVER_KILLED.name,
        observe=seen(faults.SERVER_KILLED.name, [CONTAINER], made_anew),
        because="an orchestrator keeps a number of tasks: what is lost is replaced, not moved.",
    ),
    Observed(
        name="container-back-quickly",
        row=ROW,
        text=f"After its server died the container is back within {QUICKLY_S:g} s, with the timers that Swarm ships.",
        experiment=faults.SERVER_KILLED.name,
        observe=quickly,
        because="Swarm takes a server for lost after three heartbeats of 5 s, and waits 5 s more before it starts.",
    ),
    Observed(
        name="failover-loses-nothing-acknowledged",
        row=ROW,
        text="Whatever is broken, no acknowledged write is lost or doubled, on either side.",
        experiment=faults.SERVER_KILLED.name,
        observe=nothing_lost,
        because="the service answers when a write is on the disk, which outlives each server; fencing, and the lock on "
        "the disk, keep a second copy from writing to it.",
    ),
    *(claim for fault, said in _OF.items() for claim in _longer(fault, said)),
)
