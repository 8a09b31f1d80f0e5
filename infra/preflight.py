"""Looks at the laptop's engine before any resource is touched.

Is it there, and where our servers can live; is our server running, is our name free.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import docker
from docker.errors import NotFound

from infra import engine_client, engine_place
from infra.machine import Machine
from infra.plan import CHECKOUT_LABEL, LAB_LABEL, Plan


class RefusedError(Exception):
    """The lab cannot be brought up as things are; the text says what to do."""


def check(machine: Machine, plan: Plan, servers: Sequence[str]) -> None:
    """Raise RefusedError when a server is stopped, a name is taken by something foreign, or the engine is silent."""
    try:
        with engine_client.connected(machine.docker_host) as client:
            _check_place(client, machine)
            for server in servers:
                _check_server(client, plan, plan.name(server))
    except engine_client.EngineError as error:
        raise RefusedError(f"{error} Start it and the lab: ./lab up {plan.lab}") from error


def _check_place(client: docker.DockerClient, machine: Machine) -> None:
    folders = (Path(machine.checkout, ".state"), Path(machine.guest_dir).parent, Path(machine.runtime_dir))
    place = engine_place.look(client, client.version(), client.info(), machine.docker_host, folders)
    problem = engine_place.problem(place, engine_place.this_kernel())
    if problem:
        raise RefusedError(
            f"The Docker Engine at {machine.docker_host} cannot carry local servers: {problem}. "
            "Find another: ./lab setup"
        )


def _check_server(client: docker.DockerClient, plan: Plan, name: str) -> None:
    try:
        container = client.containers.get(name)
    except NotFound:
        return
    if container.labels.get(CHECKOUT_LABEL) != plan.checkout or container.labels.get(LAB_LABEL) != plan.lab:
        raise RefusedError(f"The container {name} is not this lab's (its labels differ). Rename or remove it first.")
    if container.status != "running":
        raise RefusedError(f"The server {name} is {container.status}. Start it and the lab: ./lab up {plan.lab}")
