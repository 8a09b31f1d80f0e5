"""The labels of a lab's objects, in the form that each kind of Docker resource takes them."""

from __future__ import annotations

import pulumi_docker as docker

from infra import plan as names
from infra.plan import Plan, Role


def container(plan: Plan, role: Role | None = None) -> list[docker.ContainerLabelArgs]:
    """Both labels, for a container; one on the laptop's engine has a role."""
    wanted = names.labels(plan.checkout, plan.lab, role)
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in wanted.items()]


def network(plan: Plan) -> list[docker.NetworkLabelArgs]:
    """Both labels, for a network."""
    return [docker.NetworkLabelArgs(label=key, value=value) for key, value in plan.labels.items()]


def volume(plan: Plan) -> list[docker.VolumeLabelArgs]:
    """Both labels, for a volume."""
    return [docker.VolumeLabelArgs(label=key, value=value) for key, value in plan.labels.items()]
