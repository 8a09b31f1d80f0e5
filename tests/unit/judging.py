"""A well-formed run to judge, and ways to change one fact of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from labkit.judge.model import Measured
from labkit.runs.records import Arm, Repeat, Results, Run
from labs.deployment.lab import LAB

METRICS = {metric.name: metric for metric in LAB.metrics}
VM, CONTAINER = Arm("vm"), Arm("container")
SERVER, GUEST = "5e70e0d2-server", "9a77c104-guest"

COMMON: Mapping[str, str | int] = {
    "service_version": "1.0.0",
    "service_commit": "1f49082",
    "vcpus": 1,
    "memory_mib": 512,
    "storage": "/var/lib/vvc on ext4",
    "start_line": "the order to start",
    "finish_line": "first correct 200",
    "client": "open loop, 50/s",
    "cache": "warm",
    "server_boot_id": SERVER,
}
READY_S = {("vm", "deploy"): 31.0, ("vm", "start"): 9.0, ("container", "deploy"): 1.4, ("container", "start"): 0.5}
BYTES = {
    "vm": {"image_allocated_bytes": 611319808, "image_compressed_bytes": 231735296, "second_replica_bytes": 8126464},
    "container": {
        "image_allocated_bytes": 181403648,
        "image_compressed_bytes": 62914560,
        "second_replica_bytes": 90112,
    },
}

STARTS = Measured(
    "starts-slower", "Speed", "A VM starts slower.", METRICS["start_s"], VM, CONTAINER, 1.5, "cpu", "it boots."
)
LARGER = Measured(
    "larger",
    "Size",
    "A VM's image is larger.",
    METRICS["image_allocated_bytes"],
    VM,
    CONTAINER,
    1.5,
    "bytes",
    "it has a kernel.",
)

Change = Callable[[Repeat], Repeat]


def conditions(side: str, number: int, accelerator: str) -> dict[str, str | int | float]:
    """What a repeat of this side records; each start of a VM is another boot."""
    own = {
        "vm": {"boot_id": f"{GUEST}-{number}", "accelerator": accelerator},
        "container": {"boot_id": SERVER, "accelerator": "host"},
    }
    return {**COMMON, **own[side]}


def run(n: int = 10, *, accelerator: str = "kvm") -> Run:
    """Both experiments, complete, `n` repeats of each action after a warm-up; always the same numbers."""
    rng = random.Random(5)  # noqa: S311 - a test's numbers
    starts = [
        Repeat(
            "start",
            side,
            number,
            float(number),
            {"ready_s": around * rng.lognormvariate(0, 0.05)},
            action=action,
            conditions=conditions(side, number, accelerator),
        )
        for (side, action), around in READY_S.items()
        for number in range(n + 1)
    ]
    sizes = [
        Repeat("size", side, 1, 0.0, own, conditions=conditions(side, 1, accelerator)) for side, own in BYTES.items()
    ]
    return Run(
        id="20261124T150102-deployment",
        lab="deployment",
        started="2026-11-24T15:01:02+01:00",
        finished="2026-11-24T15:18:44+01:00",
        commit="1f49082",
        machine={},
        settings={"accelerator": accelerator},
        experiments=(
            Results("size", "How large?", "complete", 3.0, tuple(sizes)),
            Results("start", "How fast?", "complete", 300.0, tuple(starts)),
        ),
    )


def changed(one: Run, change: Change, *, experiment: str = "start", **fields: Any) -> Run:
    """The run with each repeat of one experiment changed, and `fields` of that experiment replaced."""
    return dataclasses.replace(
        one,
        experiments=tuple(
            dataclasses.replace(each, repeats=tuple(map(change, each.repeats)), **fields)
            if each.name == experiment
            else each
            for each in one.experiments
        ),
    )


def having(side: str, *, only: int | None = None, **facts: str | float) -> Change:
    """Other conditions in the repeats of one side, or in one of them."""

    def change(repeat: Repeat) -> Repeat:
        if repeat.side != side or only not in (None, repeat.number):
            return repeat
        return dataclasses.replace(repeat, conditions={**repeat.conditions, **facts})

    return change


def without(side: str, name: str) -> Change:
    """A condition missing in the repeats of one side."""

    def change(repeat: Repeat) -> Repeat:
        left = {key: value for key, value in repeat.conditions.items() if key != name}
        return dataclasses.replace(repeat, conditions=left) if repeat.side == side else repeat

    return change


def scaled(side: str, factor: float) -> Change:
    """All values of one side multiplied."""

    def change(repeat: Repeat) -> Repeat:
        values = {name: value * factor for name, value in repeat.values.items()}
        return dataclasses.replace(repeat, values=values) if repeat.side == side else repeat

    return change


def with_sides_exchanged(repeat: Repeat) -> Repeat:
    """The repeat in the other side's column, as it is."""
    return dataclasses.replace(repeat, side={"vm": "container", "container": "vm"}[repeat.side])


def same(repeat: Repeat) -> Repeat:
    """The repeat as it is."""
    return repeat
