"""The labels of a lab's objects, in the form that each kind of Docker resource takes them."""

from __future__ import annotations

import pulumi_docker as docker

from infra.plan import Plan


def container(plan: Plan) -> list[docker.ContainerLabelArgs]:
    """Both labels, for a container."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in plan.labels.items()]


def network(plan: Plan) -> list[docker.NetworkLabelArgs]:
    """Both labels, for a network."""
    return [docker.NetworkLabelArgs(label=key, value=value) for key, value in plan.labels.items()]


def volume(plan: Plan) -> list[docker.VolumeLabelArgs]:
    """Both labels, for a volume."""
    return [docker.VolumeLabelArgs(label=key, value=value) for key, value in plan.labels.items()]
