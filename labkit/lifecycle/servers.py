"""A lab's local servers, as containers on the laptop's engine: find them, start those that are stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Protocol

import docker
from docker.models.containers import Container

from infra import plan
from infra.bounds import HEALTHY
from infra.machine import Machine
from infra.reach import Reach
from labkit.setup.docker.client import connected
from labkit.sides.reach import runner
from labkit.system import stack_files
from labkit.system.errors import CommandError, LabError
from labkit.system.paths import CHECKOUT_ID
from labkit.system.progress import Progress
from labkit.system.waiting import until

SERVER: plan.Role = "server"
RUNNING = "running"
_PAUSED = "paused"

_POLL_S = 0.2
_OFF_S = 10
_SETTLED, _SETTLED_S = "/usr/local/lib/vvc/settled", 60.0


class OnEngine(Protocol):
    """Whatever knows the engine's URL, such as what set-up noted of the machine."""

    @property
    def docker_host(self) -> str:
        """URL of the engine's Unix socket."""


def engine(machine: OnEngine) -> AbstractContextManager[docker.DockerClient]:
    """A client, while inside, of the engine that this checkout was set up with. Raises LabError as `connected` does."""
    return connected(machine.docker_host)


def filters(lab: str) -> dict[str, str | list[str] | bool]:
    """What the engine must match to find the lab's objects: both labels."""
    return {"label": [f"{plan.LAB_LABEL}={lab}", f"{plan.CHECKOUT_LABEL}={CHECKOUT_ID}"]}


def of(client: docker.DockerClient, lab: str) -> list[Container]:
    """The lab's servers: not whatever else has its labels, as tools have, and what another engine was to carry."""
    found = client.containers.list(all=True, filters=filters(lab))
    return [container for container in found if is_server(lab, str(container.name), container.labels)]


def is_server(lab: str, name: str, labels: Mapping[str, str]) -> bool:
    """Pure: whether a container with the lab's labels is a server, by its role.

    One without a role was made by an earlier version, which knew its servers by their names.
    """
    role = labels.get(plan.ROLE_LABEL)
    return role == SERVER if role else name.startswith(f"{prefix(lab)}server-")


def reach(machine: OnEngine, container: str) -> Reach:
    """Pure: the way into a local server, by its container's name."""
    return Reach("docker", machine.docker_host, container)


def prefix(lab: str) -> str:
    """Pure: what the engine's names of the lab's objects begin with, before the names that the contract has."""
    return plan.object_name(CHECKOUT_ID, lab, "")


def beside(client: docker.DockerClient, lab: str) -> list[Container]:
    """What serves the lab's servers: edge, registry, power service."""
    found = client.containers.list(all=True, filters=filters(lab))
    return [container for container in found if container.labels.get(plan.ROLE_LABEL) in plan.SERVING]


def kill(machine: Machine, containers: Sequence[str]) -> None:
    """Cut the power of these servers, by their containers' names, all at once. One that is off already stays so."""
    with engine(machine) as client, ThreadPoolExecutor() as pool:
        list(pool.map(_kill, [client.containers.get(name) for name in containers]))


def _kill(server: Container) -> None:
    with suppress(docker.errors.APIError):
        server.kill()
    server.wait(timeout=_OFF_S)


def start(machine: Machine, lab: str, progress: Progress) -> None:
    """Start those of the lab's servers, and of what serves them, that are not running; wait until they are healthy."""
    machine.make_runtime_dir()
    with engine(machine) as client:
        own = of(client, lab)
        _start([one for one in beside(client, lab) if one.status != RUNNING], progress)
        stopped = [server for server in own if server.status != RUNNING]
        if stopped and stack_files.clustered(lab):
            _cut_off([server for server in stopped if server.status == _PAUSED])
            settle(machine, lab, [str(server.name).removeprefix(prefix(lab)) for server in stopped], progress)
        _start(stopped, progress)
        for server in stopped:
            wait_healthy(server)


def _cut_off(frozen: Sequence[Container]) -> None:
    # A member that goes on where it was would do so beside what its peers have started in its place.
    for server in frozen:
        _kill(server)
        server.reload()


def _start(containers: Sequence[Container], progress: Progress) -> None:
    for one in containers:
        with progress.step(f"Start {one.labels.get(plan.ROLE_LABEL, SERVER)} {one.name}"):
            if one.status == _PAUSED:
                one.unpause()
            else:
                one.start()


def settle(machine: Machine, lab: str, ended: Sequence[str], progress: Progress) -> None:
    """Wait until the lab's clusters have done with servers that have ended, or are gone: whoever comes back before it
    was fenced would be fenced then. A cluster that does not come to it is waited for no longer than `_SETTLED_S`."""
    if not ended:
        return
    with engine(machine) as client:
        running = [str(server.name) for server in of(client, lab) if server.status == RUNNING]
    if not running:
        return
    with progress.step("The clusters notice that servers have ended"), ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: _settled(reach(machine, name), ended), running))


def _settled(server: Reach, ended: Sequence[str]) -> None:
    with suppress(CommandError):
        runner(server)([_SETTLED, *ended], _SETTLED_S)


def lost(machine: Machine, lab: str) -> str:
    """Which servers of the lab have ended, in words; "" if none has, or the engine does not say."""
    try:
        with engine(machine) as client:
            ended = [str(server.name) for server in of(client, lab) if server.status in {"exited", "dead"}]
    except LabError:
        return ""
    return f"{', '.join(ended)} ended, so Pulumi could not go on" if ended else ""


def health(server: Container) -> str:
    """What a server tells of itself now, "healthy" where it is well; "" where it tells nothing."""
    server.reload()
    return str(server.attrs["State"].get("Health", {}).get("Status", ""))


def check_health(machine: Machine, lab: str) -> None:
    """Raise LabError with the last lines of a server of the lab that is not healthy, as the rung "server healthy"."""
    with engine(machine) as client:
        for server in of(client, lab):
            wait_healthy(server, within_s=1.0)


def wait_healthy(server: Container, within_s: float | None = None) -> None:
    """The rung "server healthy". Raises LabError with the server's last lines at the bound, by default HEALTHY."""
    begin = time.monotonic()
    within_s = HEALTHY.seconds if within_s is None else within_s

    def reached() -> str:
        healthy = health(server) == "healthy"
        return "exited" if server.status == "exited" else "healthy" if healthy else ""

    state = until(reached, within_s, _POLL_S) or "not healthy"
    if state != "healthy":
        lines = server.logs(tail=15).decode(errors="replace")
        raise LabError(
            f"Rung 'server healthy': {server.name} is {state} after {time.monotonic() - begin:.0f} s "
            f"(bound {within_s:.0f} s). Its last lines:\n{lines}",
            hint="./lab doctor",
        )
