"""A run of three sides and six arms, as the lab networking may leave it one day. Seeded: always the same."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from infra.sides import KINDS, SideKind
from labkit.judge.model import Claim, Measured, Metric, Observed
from labkit.judge.observed import Facts, seen
from labkit.runs.records import Arm, Repeat, Results, Run, Stage
from tests.unit import runs

TOY = "toy"
KINDS_OF_THREE: Mapping[str, SideKind] = {**KINDS, TOY: SideKind(TOY, "plain process", "", shares_kernel=True)}

BRIDGED, NAT = Arm("vm", {"path": "bridged"}), Arm("vm", {"path": "NAT"})
PUBLISHED = Arm("container", {"path": "published port"})
OWN, HOST = Arm("container", {"path": "own address"}), Arm("container", {"path": "host network"})
PLAIN = Arm(TOY)
ARMS = (BRIDGED, NAT, PUBLISHED, OWN, HOST, PLAIN)

_CONNECT_MS = {BRIDGED: 0.42, NAT: 0.61, PUBLISHED: 0.31, OWN: 0.19, HOST: 0.09, PLAIN: 0.088}
_SERVER = "9a770f04"


def _metric(name: str, unit: str, experiment: str, action: str = "") -> Metric:
    return Metric(name, unit, f"{name} of one arm", experiment, name, 1.0, action)


CONNECT = _metric("connect_ms", "ms", "latency")
SENT = _metric("cpu_s", "s", "throughput", "to the service")


def _measured(name: str, text: str, metric: Metric, greater: Arm, other: Arm) -> Measured:
    return Measured(name, "Networking", text, metric, greater, other, 1.2, "cpu", "it passes more hops.",
                    effect_because="less is within the noise of one machine")  # fmt: skip


def _adapters(vm: Facts, container: Facts) -> tuple[bool, Facts]:
    return vm["driver"] != container["driver"], {"driver in the VM": vm["driver"], "in it": container["driver"]}


CLAIMS: tuple[Claim, ...] = (
    _measured("nat-slower", "A VM behind NAT takes longer to connect to than a bridged one.", CONNECT, NAT, BRIDGED),
    _measured("port-slower", "A published port takes longer to connect to than a container's own address.", CONNECT,
              PUBLISHED, OWN),
    _measured("vm-slower", "A bridged VM takes longer to connect to than a container with its own address.", CONNECT,
              BRIDGED, OWN),
    _measured("vm-busier", "To send to a bridged VM takes more CPU than to a container on the host's network.", SENT,
              BRIDGED, HOST),
    Observed("adapters", "Networking", "A VM has a PCI adapter, a container one end of a pair.", "latency",
             seen("latency", (BRIDGED, OWN), _adapters), "a guest has drivers of its own."),
)  # fmt: skip


def conditions(arm: Arm, number: int = 1) -> dict[str, str | int | float]:
    """What a repeat of this arm records."""
    own = not KINDS_OF_THREE[arm.side].shares_kernel
    return {
        "service_version": "1", "service_commit": "1f49082", "vcpus": 1, "memory_mib": 512, "storage": "/dev/vda ext4",
        "client": "open loop, 50 reads a second", "cache": "warm", "start_line": "SYN", "finish_line": "SYN, ACK",
        "server_boot_id": _SERVER, "boot_id": f"5d3c0a1e-{number}" if own else _SERVER,
        "accelerator": "kvm" if own else "host",
    }  # fmt: skip


def repeat(arm: Arm, experiment: str, number: int, values: Mapping[str, float], **more: Any) -> Repeat:
    """One repeat of this arm."""
    return Repeat(experiment, arm.side, number, 10.0 * number, values, factors=arm.factors,
                  conditions=conditions(arm, number), **more)  # fmt: skip


def _latency(rng: random.Random) -> Results:
    facts = {"vm": {"driver": "virtio_net", "hops": ["br0", "tap0", "eth0"]},
             "container": {"driver": "veth", "hops": ["br0", "veth1a2b", "eth0"]},
             TOY: {"driver": "veth", "hops": ["eth0"]}}  # fmt: skip
    repeats = []
    for number in range(9):
        for arm in ARMS:
            connect_ms = _CONNECT_MS[arm] * rng.lognormvariate(0, 0.05) * (1.3 if number == 0 else 1)
            failed = (arm, number) == (NAT, 4)
            repeats.append(
                repeat(
                    arm,
                    "latency",
                    number,
                    {} if failed else {"connect_ms": connect_ms, "answer_ms": connect_ms + 2 + rng.random()},
                    facts=facts[arm.side],
                    stream=f"latency-{arm}-{number}".replace(" ", "-") if number in (1, 2) else "",
                    marks=("late prober: p99 scheduling error 31 ms",) if (arm, number) == (OWN, 3) else (),
                    problem="vm-1 gave no answer within 60 s." if failed else "",
                )
            )
    return Results("latency", "How long until a connection stands, and until the answer?", "complete", 641.0,
                   tuple(repeats))  # fmt: skip


def _throughput(rng: random.Random) -> Results:
    repeats = []
    for number in range(8):
        for action in ("to the service", "from the service"):
            for arm in ARMS:
                cpu_s = 6 * _CONNECT_MS[arm] * rng.lognormvariate(0, 0.08)
                parts = (Stage("in the server", cpu_s * 0.7, "cgroup", 0.001),
                         Stage("in the guest", cpu_s * 0.3, "/proc/stat", 0.01))  # fmt: skip
                values = {"cpu_s": cpu_s, "sent_bytes": 2e9 / (1 + _CONNECT_MS[arm]) * rng.lognormvariate(0, 0.04)}
                repeats.append(repeat(arm, "throughput", number, values, action=action, stages=parts))
    return Results("throughput", "How much goes through, and what CPU does a GiB cost?", "complete", 410.0,
                   tuple(repeats))  # fmt: skip


def run(**changed: Any) -> Run:
    """The run; with `changed` fields in place of its own."""
    rng = random.Random(11)  # noqa: S311 - a test's numbers, no secret
    settings = {**runs.SETTINGS, "accelerator": "kvm", "sides": ",".join(KINDS_OF_THREE)}
    one = dataclasses.replace(
        runs.run(),
        id="20270301T101500-networking",
        lab="networking",
        settings=settings,
        experiments=(_latency(rng), _throughput(rng)),
        predictions={"nat-slower": "vm NAT", "vm-slower": "container own address", "port-slower": "same"},
    )
    return dataclasses.replace(one, **changed)
