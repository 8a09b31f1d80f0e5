"""What serves a lab's clusters from beside them: edge, power service, registry. Does each do it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import docker

from infra import plan
from infra.machine import Machine
from labkit.lifecycle import inside, servers
from labkit.lifecycle.servers import RUNNING
from labkit.system.errors import CommandError, LabError
from labkit.system.progress import Progress
from labkit.system.waiting import until

POWER: plan.Role = "power"
ROLES: Mapping[str, tuple[str, str]] = {
    "edge": ("edge", "no client reaches a replica"),
    POWER: ("power service", "no server can be fenced, and so no VM started elsewhere"),
    "registry": ("registry", "no server gets an image that it has not"),
}
"""Role -> what it is called, and what its absence means."""

_WAKES_S = 10.0
_STOP_S = 2


def states(client: docker.DockerClient, lab: str) -> dict[str, str]:
    """Role -> what the engine says of it; "gone" where there is none."""
    found = {str(one.labels[plan.ROLE_LABEL]): str(one.status) for one in servers.beside(client, lab)}
    return {role: found.get(role, "gone") for role in ROLES}


def problems(machine: Machine, client: docker.DockerClient, lab: str) -> Iterator[str]:
    """What does not serve, a sentence each."""
    now = states(client, lab)
    for role, (word, without) in ROLES.items():
        why = f"is {now[role]}" if now[role] != RUNNING else ""
        if role == POWER and not why and (said := powerless(machine, client, lab)):
            why = f"does not answer ({said})"
        if why:
            yield f"The {word} {why}: {without}."


def powerless(machine: Machine, client: docker.DockerClient, lab: str) -> str:
    """Why servers cannot have one another switched off, as one that lives says; empty where they can, or none lives."""
    for server in servers.of(client, lab):
        if server.status == RUNNING:
            try:
                return inside.powerless(servers.reach(machine, str(server.name)))
            except CommandError:  # it has died meanwhile
                continue
    return ""


def wake(machine: Machine, lab: str, progress: Progress) -> None:
    """Start a power service anew that runs and does not answer. Raises LabError where that does not help."""
    with servers.engine(machine) as client:
        power = next((one for one in servers.beside(client, lab) if one.labels[plan.ROLE_LABEL] == POWER), None)
        if power is None or power.status != RUNNING or not (said := powerless(machine, client, lab)):
            return
        with progress.step(f"The power service does not answer ({said}): it is started anew"):
            power.restart(timeout=_STOP_S)
            if not until(lambda: not powerless(machine, client, lab), _WAKES_S):
                raise LabError(
                    f"The power service does not answer: {powerless(machine, client, lab)}.",
                    hint=f"./lab down {lab}, then ./lab up {lab}",
                )
