"""What the article's row says of neighbours, as claims on the experiment *neighbours*."""

from __future__ import annotations

from labkit.judge.model import Claim, Measured, Metric
from labkit.runs.records import Arm
from labs.isolation.burden import CPU
from labs.isolation.neighbours import FAULT, LEAST_MS, LIMITED, LIMITS, UNLIMITED

GROWS = Metric(
    "p99_grows_by_ms",
    "ms",
    "By how much a replica's p99 latency is longer while its neighbour misbehaves than just before, both of one stream "
    f"of requests; at least {LEAST_MS:g}, as less cannot be told from nothing.",
    experiment="neighbours",
    value="p99_grows_by_ms",
    example=12.5,
)


def _arm(side: str, limits: str) -> Arm:
    return Arm(side, {FAULT: CPU.name, LIMITS: limits})


_NOTICES = "a client does not notice less than half as much again of a few milliseconds"
_SHARES = (
    "the workers of a container without limits are processes like the victim's, and get whatever CPU is free; those of "
    "a guest run on the virtual CPUs that it has, and no more."
)
CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="neighbour-without-limits",
        row="Isolation",
        text="Beside a neighbour without limits that burns CPU a container's p99 grows by more than a VM's, whose "
        "neighbour has the CPUs that it has.",
        metric=GROWS,
        greater=_arm("container", UNLIMITED),
        other=_arm("vm", LIMITED),
        effect=1.5,
        bound_by="cpu",
        because=_SHARES,
        effect_because=_NOTICES,
    ),
    Measured(
        name="limits-do-their-work",
        row="Isolation",
        text="With the limits that the lab sets such a neighbour lengthens a container's p99 by less than half as much "
        "again as a VM's.",
        metric=GROWS,
        greater=_arm("container", LIMITED),
        other=_arm("vm", LIMITED),
        effect=1.5,
        bound_by="cpu",
        because="the kernel gives the neighbour's group no more CPU time in each tenth of a second than its limit, "
        "which is what a guest's virtual CPUs can have.",
        effect_because=_NOTICES,
        below=True,
    ),
    Measured(
        name="no-limits-are-noticed",
        row="Isolation",
        text="Without limits such a neighbour lengthens a container's p99 by more than with them.",
        metric=GROWS,
        greater=_arm("container", UNLIMITED),
        other=_arm("container", LIMITED),
        effect=1.5,
        bound_by="cpu",
        because="what the limit leaves free is left for the victim's CPU time, and without it the neighbour has that "
        "as well.",
        effect_because=_NOTICES,
        beside="it holds a container against itself, of which the article says nothing",
    ),
)
