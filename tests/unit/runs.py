"""A run as the conductor would leave it, with everything that a report can show. Seeded: always the same."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.runs.records import Repeat, Results, Run, Stage

SIDES = ("vm", "container")
HOSTILE = '<script>alert("1")</script>&\'"'
"""What no page may let through."""

MACHINE: dict[str, Any] = {
    "cpu": "Example CPU 3000 @ 2.40GHz",
    "cpus": 2,
    "memory_mib": 24105,
    "load_1min": 0.31,
    "kernel": "6.12.48-amd64",
    "accelerator": "tcg",
    "accelerator_reason": "/dev/kvm exists, but the guest's kernel did not boot on it within 10 s",
    "cgroup_version": 2,
    "engine": "26.1.5",
    "pulumi": "3.259.0",
    "python": "3.13.5",
    "guest_digest": "6a3a76e5772f",
    "container_digest": "d535c3ee30bb",
}
SETTINGS = {"accelerator": "tcg", "topology": "single", "sides": "vm,container", "memory_mib": 512, "cpus": 1}

_STAGES = {
    ("vm", "deploy"): (
        ("overlay and domain made", 0.9, "Pulumi events", 0.05),
        ("firmware and kernel", 2.2, "console", 0.01),
        ("init to basic.target", 7.6, "journal", 0.001),
        ("sshd answers, Ansible configures", 6.4, "Pulumi events", 0.05),
        ("service answers", 3.1, "probe", 0.02),
        ("unexplained", 1.4, "difference", 0.05),
    ),
    ("container", "deploy"): (
        ("image built", 0.62, "Pulumi events", 0.05),
        ("container created", 0.21, "engine events", 0.001),
        ("service answers", 0.55, "probe", 0.02),
    ),
    ("vm", "start"): (
        ("QEMU and firmware", 0.7, "libvirt events", 0.001),
        ("kernel", 1.1, "console", 0.01),
        ("init to unit started", 5.2, "journal", 0.001),
        ("service answers", 2.8, "probe", 0.02),
    ),
    ("container", "start"): (
        ("namespaces and process", 0.11, "engine events", 0.001),
        ("service answers", 0.52, "probe", 0.02),
    ),
    ("vm", "restore"): (("memory read back", 0.12, "libvirt events", 0.001), ("service answers", 0.06, "probe", 0.02)),
}


def _conditions(side: str) -> dict[str, str | int | float]:
    own = {"vm": ("5d3c0a1e", "tcg"), "container": ("9a770f04", "host")}[side]
    return {
        "service_version": "1",
        "service_commit": "1f49082",
        "boot_id": own[0],
        "server_boot_id": "9a770f04",
        "accelerator": own[1],
        "vcpus": 1,
        "memory_mib": 512,
        "storage": "/dev/vda ext4",
        "client": "none",
        "cache": "warm",
        "start_line": "order given",
        "finish_line": "first correct 200",
    }


def _start(rng: random.Random) -> Results:
    repeats: list[Repeat] = []
    at = 2.0
    for (side, action), stages in _STAGES.items():
        for number in range(11 if action == "start" else 7):
            drift = rng.gauss(1.0, 0.05) * (1.35 if number == 0 else 1.0)
            made = tuple(Stage(name, s * drift * rng.gauss(1, 0.02), source, res) for name, s, source, res in stages)
            at += sum(stage.s for stage in made) + 1
            failed = (side, action, number) == ("vm", "start", 5)
            late = (side, action, number) == ("container", "start", 3)
            repeats.append(
                Repeat(
                    "start",
                    side,
                    number,
                    round(at, 3),
                    {} if failed else {"ready_s": round(sum(stage.s for stage in made), 4)},
                    action=action,
                    stages=() if failed else made,
                    facts={"boot_id": f"{rng.getrandbits(32):08x}"},
                    conditions=_conditions(side),
                    marks=("late prober: p99 scheduling error 31 ms",) if late else (),
                    problem="no 200 within 60 s (readiness ladder: sshd answers)" if failed else "",
                )
            )
    return Results("start", "How long from nothing, from off and from saved to a correct answer?", "complete", 412.5,
                      tuple(repeats), subject=("cache",))  # fmt: skip


def _size() -> Results:
    values = {
        "vm": {"image_virtual_bytes": 2147483648.0, "image_allocated_bytes": 611319808.0,
               "image_compressed_bytes": 231735296.0, "second_replica_bytes": 8126464.0},
        "container": {"image_virtual_bytes": 178257920.0, "image_allocated_bytes": 181403648.0,
                      "image_compressed_bytes": 62914560.0, "second_replica_bytes": 20480.0},
    }  # fmt: skip
    facts: Mapping[str, Mapping[str, Any]] = {
        "vm": {"packages": 214, "only_here": ["linux-image-cloud-amd64", "systemd", "openssh-server", "udev"],
               "kernel_package_bytes": 109051904},
        "container": {"packages": 121, "only_here": []},
    }  # fmt: skip
    repeats = tuple(
        Repeat("size", side, 1, 1.0 + i, values[side], facts=facts[side], conditions=_conditions(side))
        for i, side in enumerate(SIDES)
    )
    return Results("size", "How many bytes does each side need, and which packages are they?", "complete", 6.2, repeats)


def _resources(rng: random.Random) -> Results:
    repeats = []
    for number in range(8):
        for side, memory, cpu, cache in (("vm", 391.0, 3.1, 88.0), ("container", 38.0, 0.22, 0.0)):
            values = {"host_memory_mib": memory * rng.gauss(1, 0.02), "idle_cpu_percent": abs(cpu * rng.gauss(1, 0.15))}
            if cache:
                values["translation_cache_mib"] = cache * rng.gauss(1, 0.03)
            repeats.append(Repeat("resources", side, number, 500.0 + 9 * number, values))
    return Results("resources", "What does each further replica cost the server?", "complete", 187.0, tuple(repeats))


def _system() -> Results:
    facts: Mapping[str, Mapping[str, Any]] = {
        "vm": {"kernel": "6.12.57+deb13-cloud-amd64", "boot_id": "5d3c…e1", "processes": 41,
               "second_kernel": "booted 6.1.0"},
        "container": {"kernel": "6.12.48-amd64", "boot_id": "9a77…04", "processes": 2, "second_kernel": "cannot"},
    }  # fmt: skip
    repeats = tuple(Repeat("operating-system", side, 1, 700.0, {}, facts=facts[side]) for side in SIDES)
    return Results("operating-system", "Whose kernel answers, and can it be another one?", "complete", 44.0, repeats)


def _update(rng: random.Random) -> Results:
    ways = (("vm", "in-place", 2.1, 21), ("vm", "replaced", 13.0, 130), ("container", "replaced", 1.3, 13),
            ("container", "start-first", 0.0, 0))  # fmt: skip
    repeats = []
    for number in range(4):
        for side, action, outage, lost in ways:
            values = {"outage_s": outage * rng.gauss(1, 0.08), "lost_requests": float(round(lost * rng.gauss(1, 0.1)))}
            repeats.append(
                Repeat("update", side, number, 800.0 + 40 * number, values, action=action,
                       stream=f"update-{side}-{action}-{number}")
            )  # fmt: skip
    return Results("update", "What does a client notice while version 1 becomes version 2?", "interrupted", 340.0,
                      tuple(repeats), problem="interrupted by Ctrl-C in repeat 4; the lab was restored")  # fmt: skip


def run(**changed: Any) -> Run:
    """A run of the deployment lab; with `changed` fields in place of its own."""
    rng = random.Random(7)  # noqa: S311 - a test's numbers, no secret
    experiments = (_size(), _start(rng), _resources(rng), _system(), _update(rng))
    one = Run(
        id="20261124T150102-deployment",
        lab="deployment",
        started="2026-11-24T15:01:02+01:00",
        finished="2026-11-24T15:18:44+01:00",
        commit="1f490823aa17c0de5d1e+",
        machine=MACHINE,
        settings=SETTINGS,
        experiments=experiments,
        predictions={
            "image-larger": "vm",
            "start-slower": "vm",
            "starts-slower": "vm",
            "image-takes-more-disk": "vm",
            "own-kernel": "yes",
            "memory-more": "same",
        },
        samples=0,
    )
    return dataclasses.replace(one, **changed)


def hostile() -> Run:
    """The same with markup wherever a string can come from outside."""
    one = run()
    facts = {HOSTILE: [HOSTILE]}
    experiments = tuple(
        dataclasses.replace(
            experiment,
            name=experiment.name,
            question=HOSTILE,
            problem=HOSTILE,
            repeats=tuple(
                dataclasses.replace(
                    repeat,
                    facts=facts,
                    marks=(HOSTILE,) if repeat.number == 1 else repeat.marks,
                    problem=HOSTILE if repeat.number == 2 else repeat.problem,
                    stages=tuple(dataclasses.replace(stage, name=HOSTILE + stage.name) for stage in repeat.stages),
                )
                for repeat in experiment.repeats
            ),
        )
        for experiment in one.experiments
    )
    return dataclasses.replace(
        one,
        id=HOSTILE,
        commit=HOSTILE,
        machine={**MACHINE, "cpu": HOSTILE, HOSTILE: 1},
        settings={**SETTINGS, HOSTILE: HOSTILE},
        predictions={"start-slower": HOSTILE},
        experiments=experiments,
    )


def samples(one: Run, file: Path, *, every_s: float = 0.05, seconds: float = 30.0) -> int:
    """Write the samples of a run's streams as the prober does, failures during each outage; how many there are."""
    rng = random.Random(3)  # noqa: S311 - a test's numbers, no secret
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for repeat in (repeat for experiment in one.experiments for repeat in experiment.repeats if repeat.stream):
            outage = repeat.values.get("outage_s", 0.0)
            for seq in range(int(seconds / every_s)):
                at = repeat.begun_s + seq * every_s
                kind = "write" if seq % 6 == 5 else "read"
                down = 5.0 < seq * every_s < 5.0 + outage
                took = 0.001 if down else rng.lognormvariate(-5.6, 0.4) + (0.004 if kind == "write" else 0.0)
                outcome = "refused" if down else "ok"
                row = [repeat.stream, kind, seq, at, at, None if down else at + took, at + took, outcome,
                       None if down else 200, "" if down else f"{repeat.side}-1", "server-1", ""]  # fmt: skip
                out.write(json.dumps(row) + "\n")
                count += 1
    return count
