"""The article's table, judged: nine rows, each of them the claims that stand for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.sides import KINDS, SideKind
from labkit.judge._verdict import judge as judge_claim
from labkit.judge.model import Claim, Judgement, Measured, Row, Verdict
from labkit.runs.records import Run


@dataclass(frozen=True)
class Stated:
    """What the article states in one row, and the lab that tests it."""

    name: str
    of_vms: str
    of_containers: str
    lab: str


ARTICLE = (
    Stated("Size", "large, a full operating system", "small, binaries and libraries only", "deployment"),
    Stated("Resource usage", "more CPU, memory, storage", "shares the OS's resources", "deployment"),
    Stated("Speed", "slower start", "faster start", "deployment"),
    Stated("Operating system", "a full one, kernel included", "the user-mode part only", "deployment"),
    Stated(
        "Deployment",
        "a manager for single VMs (it names Hyper-V Manager)",
        "an engine from the command line, an orchestrator for many (it names Kubernetes)",
        "deployment",
    ),
    Stated(
        "Networking",
        "virtual network adapter",
        "simpler adapter that shares the host's firewall, fewer resources",
        "networking",
    ),
    Stated(
        "Fault tolerance",
        "VM restarts on another server of the cluster",
        "the orchestrator quickly recreates it on another node",
        "failover",
    ),
    Stated(
        "Load balancing",
        "VMs move to other servers of the failover cluster",
        "do not move; the orchestrator starts and stops them",
        "balancing",
    ),
    Stated(
        "Isolation",
        "fully isolated with its own OS",
        "shares the kernel, isolated as processes",
        "isolation",
    ),
)
"""The table "VMs vs Containers" (2025), in its order."""

ROWS = tuple(stated.name for stated in ARTICLE)

WORST_FIRST: Sequence[Verdict] = ("does not hold", "not comparable", "not decidable here", "not measured", "holds")
"""A row's verdict is the first of these that one of its parts has.

A row holds only if each part does. One refuted part refutes the row, whatever the others would say. Next comes what is
wrong with the measurement itself, as that wants mending before anything is repeated; then what this machine cannot
show; and last what was only left out, as running it may still settle the row.
"""

_FOR_BYTES = ("bytes", "sharing", "memory")
_FITTING = {
    "bytes": _FOR_BYTES,
    "MiB": _FOR_BYTES,
    "packages": _FOR_BYTES,
    "s": ("timer", "cpu"),
    "ms": ("timer", "cpu"),
    "%": ("timer", "cpu"),
}
"""Unit -> what can bound it: seconds called bytes would escape the rule for an emulated CPU."""


def judge(run: Run, claims: Iterable[Claim], kinds: Mapping[str, SideKind] = KINDS) -> tuple[Row, ...]:
    """All nine rows with the verdicts that this run gives; those without a claim are `not measured`.

    Raises ValueError naming everything that is wrong with the claims.
    """
    claims = tuple(claims)
    if wrong := flaws(claims, kinds):
        raise ValueError("; ".join(wrong))
    parts = [judge_claim(run, claim, kinds) for claim in claims]
    return tuple(_row(stated, [part for part in parts if part.claim.row == stated.name]) for stated in ARTICLE)


def combined(parts: Iterable[Verdict]) -> Verdict:
    """A row's verdict from those of its parts; without parts, nothing was measured."""
    found = set(parts)
    return next((verdict for verdict in WORST_FIRST if verdict in found), "not measured")


def flaws(claims: Sequence[Claim], kinds: Mapping[str, SideKind] = KINDS) -> list[str]:
    """What is wrong with these claims as claims; empty if nothing is."""
    names = [claim.name for claim in claims]
    found = [f"there are several claims {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1]
    metrics = {claim.metric for claim in claims if isinstance(claim, Measured)}
    called = [metric.name for metric in metrics]
    found += [f"the claims have several metrics {name!r}" for name in sorted({*called}) if called.count(name) > 1]
    found += [f"claim {claim.name!r}: the table has no row {claim.row!r}" for claim in claims if claim.row not in ROWS]
    for claim in claims:
        if not isinstance(claim, Measured):
            continue
        found += [
            f"claim {claim.name!r}: {arm.side!r} is no side; there are {', '.join(kinds)}"
            for arm in claim.arms
            if arm.side not in kinds
        ]
        if claim.greater.covers(claim.other) or claim.other.covers(claim.greater):
            found.append(
                f"claim {claim.name!r}: {claim.greater} and {claim.other} are not two arms, one is in the other"
            )
        if claim.effect <= 1:
            found.append(
                f"claim {claim.name!r}: the smallest effect worth naming is {claim.effect:g}, and must be above 1"
            )
        fitting = _FITTING.get(claim.metric.unit)
        if fitting and claim.bound_by not in fitting:
            found.append(
                f"claim {claim.name!r}: {claim.metric.name} ({claim.metric.unit}) cannot be bound by {claim.bound_by}, "
                f"only by {' or '.join(fitting)}"
            )
    return found


def _row(stated: Stated, parts: Sequence[Judgement]) -> Row:
    verdict = combined(part.verdict for part in parts if not part.claim.beside)
    return Row(stated.name, stated.of_vms, stated.of_containers, verdict, tuple(parts))
