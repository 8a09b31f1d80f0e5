"""The architecture on one screen: a topology's servers, one VM stack, one container stack, one contract."""

from __future__ import annotations

import pulumi

from infra import outputs
from infra.container import ContainerStack
from infra.lab import Blueprint
from infra.topologies import single
from infra.vm import VmStack

TOPOLOGIES = {"single": single.build}
STACKS: dict[str, type[VmStack | ContainerStack]] = {"vm": VmStack, "container": ContainerStack}


def build(lab: Blueprint) -> dict[str, pulumi.Output[object]]:
    """Declare the lab. Returns the stack's outputs: the contract."""
    settings = lab.settings
    servers = TOPOLOGIES[settings.topology](lab)
    stacks = [STACKS[side](servers[0], lab) for side in settings.sides]
    contract = pulumi.Output.all(*(replica for stack in stacks for replica in stack.replicas)).apply(
        lambda replicas: outputs.to_outputs(
            outputs.Contract(
                lab=settings.lab,
                accelerator=settings.accelerator,
                service_version=settings.service_version,
                vcpus=settings.vcpus,
                memory_mib=settings.memory_mib,
                servers=tuple(server.output() for server in servers),
                replicas=tuple(replicas),
            )
        )
    )
    return {key: contract[key] for key in outputs.KEYS}
