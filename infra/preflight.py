"""Looks at the laptop's engine before any resource is touched: is it there, is our server running, is our name free."""

from __future__ import annotations

import docker
from docker.errors import DockerException, NotFound

from infra.machine import Machine
from infra.plan import CHECKOUT_LABEL, LAB_LABEL, Plan

_TIMEOUT_S = 8


class RefusedError(Exception):
    """The lab cannot be brought up as things are; the text says what to do."""


def check(machine: Machine, plan: Plan, servers: tuple[str, ...] = ("server-1",)) -> None:
    """Raise RefusedError when a server is stopped, a name is taken by something foreign, or the engine is silent."""
    try:
        client = docker.DockerClient(base_url=machine.docker_host, timeout=_TIMEOUT_S)
        try:
            for server in servers:
                _check_server(client, plan, plan.name(server))
        finally:
            client.close()
    except DockerException as error:
        raise RefusedError(
            f"No Docker Engine answers at {machine.docker_host} ({error}). Start it and the lab: ./lab up {plan.lab}"
        ) from error


def _check_server(client: docker.DockerClient, plan: Plan, name: str) -> None:
    try:
        container = client.containers.get(name)
    except NotFound:
        return
    if container.labels.get(CHECKOUT_LABEL) != plan.checkout or container.labels.get(LAB_LABEL) != plan.lab:
        raise RefusedError(f"The container {name} is not this lab's (its labels differ). Rename or remove it first.")
    if container.status != "running":
        raise RefusedError(f"The server {name} is {container.status}. Start it and the lab: ./lab up {plan.lab}")
