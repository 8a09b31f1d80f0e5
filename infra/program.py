"""The architecture on one screen: a topology's ground, each side's stack on it, one contract."""

from __future__ import annotations

import pulumi

from infra import outputs, stacks
from infra.lab import Blueprint
from infra.topologies import TOPOLOGIES


def build(lab: Blueprint) -> dict[str, pulumi.Output[object]]:
    """Declare the lab. Returns the stack's outputs: the contract."""
    settings = lab.settings
    topology = TOPOLOGIES[settings.topology]
    ground = topology.build(lab)
    sides = [stacks.of(side, topology.stacks)(ground.carrying[side], lab) for side in settings.sides]
    contract = pulumi.Output.all(*(replica for side in sides for replica in side.replicas)).apply(
        lambda replicas: outputs.to_outputs(
            outputs.Contract(
                lab=settings.lab,
                accelerator=settings.accelerator,
                service_version=settings.service_version,
                vcpus=settings.vcpus,
                memory_mib=settings.memory_mib,
                servers=tuple(server.output() for server in ground.servers),
                replicas=tuple(replicas),
                edges=tuple(ground.edges),
            )
        )
    )
    return {key: contract[key] for key in outputs.KEYS}
