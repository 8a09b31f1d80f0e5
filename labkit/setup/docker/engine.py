"""The Docker Engine of this machine: the one that answers, or a private one of ours."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.context import ContextAPI
from docker.errors import DockerException

from infra import engine_client, engine_place, plan
from infra.listening import listens
from labkit.setup.docker import client
from labkit.setup.docker import private as engine_private
from labkit.setup.docker.private import Folders
from labkit.system import root
from labkit.system.errors import LabError
from labkit.system.paths import STATE, cache, runtime
from labkit.system.progress import Progress
from labkit.system.waiting import until

API_MIN, API_MAX = (1, 40), (1, 52)
"""Versions of the Docker Engine API that we can speak: Docker 19.03 to 29."""

DEFAULT_HOST = "unix:///var/run/docker.sock"
_OWN_ENGINE = "unset DOCKER_HOST; then ./lab setup finds this machine's own engine, or starts one"
_PRIVATE_ELSEWHERE = "use this checkout where ./lab setup was run, or there: ./lab engine --stop"
_INSTEAD = {True: "Another engine of this machine is used.", False: "A private one is started."}
_ANSWER_S = 30
"""Of an engine that is looked for: where a DOCKER_HOST leads to may be a machine that is off."""
_CLIENT_S = 60
_OTHER_STARTS_S = 30.0
_START_S = 120
_STOP_S = 240


class ElsewhereError(LabError):
    """An engine that answers, and lives where local servers cannot."""


@dataclass(frozen=True)
class Engine:
    """An engine that answers. `host` is its URL; `private` says that it is the one that we start and stop."""

    host: str
    private: bool
    version: str
    api_version: str
    cgroup_version: int
    storage_driver: str

    def client(self, timeout_s: int = _CLIENT_S) -> AbstractContextManager[docker.DockerClient]:
        """A client while inside, see labkit.setup.docker.client."""
        return client.connected(self.host, timeout_s)


def connect() -> Engine | None:
    """The engine to use: DOCKER_HOST's, the current Docker context's, the machine's, our private one; None if none.

    Raises LabError where there is one that we cannot use: no permission, too old, not on this machine.
    """
    return find()[0]


def find() -> tuple[Engine | None, str]:
    """The same, and what is said of an engine that was found first and cannot carry servers; "" if there is none.

    One that DOCKER_HOST names is refused; one found by itself gives way to the next.
    """
    given = os.environ.get("DOCKER_HOST", "")
    passed = ""
    for host, private in candidates(given, _context_host(), Folders.here().host):
        try:
            found = _ask(host, private=private)
        except ElsewhereError as error:
            if given or private:
                raise
            passed = passed or error.problem
            continue
        if found is not None:
            return found, passed
    return None, passed


def answers() -> bool:
    """Whether there is an engine, be it one that we cannot use; one that gives way to ours does not count."""
    try:
        return connect() is not None
    except LabError:
        return True


def candidates(given: str, context: str, own: str) -> list[tuple[str, bool]]:
    """Pure: (URL, private) in the order to ask, from DOCKER_HOST, the Docker context's URL and the private engine's.

    A DOCKER_HOST that names another engine than ours is the only one asked.
    """
    if given and given != own:
        return [(given, False)]
    others = [] if given else dict.fromkeys(host for host in (context, DEFAULT_HOST) if host and host != own)
    return [*((host, False) for host in others), (own, True)]


def _context_host() -> str:
    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError, KeyError, TypeError, AttributeError):  # a file of any shape
        return ""
    host = getattr(context, "Host", None)
    return host if isinstance(host, str) and host.startswith("unix://") else ""


def _ask(host: str, *, private: bool) -> Engine | None:
    if not host.startswith("unix://"):
        raise LabError(
            f"DOCKER_HOST={host}: local servers need an engine on this machine, by a Unix socket.",
            hint="unset DOCKER_HOST",
        )
    path = Path(host.removeprefix("unix://"))
    _check_permission(path, private=private)
    answer = _version_and_info(host) if listens(path) else None
    if answer is None:
        if os.environ.get("DOCKER_HOST") == host and not private:
            raise LabError(f"DOCKER_HOST={host} is set, and no Docker Engine answers there.", hint="unset DOCKER_HOST")
        return None
    version, info, misplaced = answer
    problem = api_problem(version["ApiVersion"], version.get("MinAPIVersion", ""))
    if problem:
        raise LabError(f"Docker Engine {version['Version']} at {host}: {problem}", hint="use Docker 20.10 to 29")
    if misplaced:
        raise ElsewhereError(
            f"The Docker Engine {version['Version']} at {host} cannot carry local servers: {misplaced}.",
            hint=_PRIVATE_ELSEWHERE if private else _OWN_ENGINE,
        )
    return Engine(
        host=host,
        private=private,
        version=version["Version"],
        api_version=version["ApiVersion"],
        cgroup_version=int(info.get("CgroupVersion") or 1),
        storage_driver=info["Driver"],
    )


def _version_and_info(host: str) -> tuple[dict[str, Any], dict[str, Any], str] | None:
    """What the engine says of itself, and why it is in the wrong place, if it is."""
    try:
        with engine_client.connected(host, _ANSWER_S) as asked:
            version, info = asked.version(), asked.info()
            if api_problem(version["ApiVersion"], version.get("MinAPIVersion", "")):
                return version, info, ""
            place = engine_place.look(asked, version, info, host, (STATE, cache(), runtime()))
            return version, info, engine_place.problem(place, engine_place.this_kernel())
    except engine_client.EngineError:
        return None


def _check_permission(socket: Path, *, private: bool) -> None:
    try:
        there = socket.exists()
    except PermissionError:
        there = True
    if there and not os.access(socket, os.R_OK | os.W_OK):
        if private:
            hint = "use the account that started it, or stop it there: ./lab engine --stop"
        else:
            hint = 'sudo usermod -aG docker "$USER"; then log in again (that group is root in effect)'
        raise LabError(f"You may not use the Docker Engine at {socket}.", hint=hint)


def api_problem(newest: str, oldest: str) -> str:
    """Pure: why we cannot speak with an engine whose API versions reach from `oldest` to `newest`; "" if we can."""
    if _number(newest) < API_MIN:
        return f"its API {newest} is older than {'.'.join(map(str, API_MIN))}"
    if oldest and _number(oldest) > API_MAX:
        return f"its API begins at {oldest}; we know it up to {'.'.join(map(str, API_MAX))}"
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def ensure(progress: Progress) -> Engine:
    """The engine that answers; else our private one, started (needs root or sudo) and waited for."""
    found, passed = find()
    if passed:
        progress.line(f"{passed} {_INSTEAD[found is not None]}")
    if found is not None:
        return found
    if engine_private.other_engines(Folders.here()):
        if passed:  # two in one network namespace would take each other's bridge and rules
            raise ElsewhereError(passed, hint="stop that engine, or give it the files; then ./lab setup again")
        with progress.step("Waiting for the Docker Engine that is starting"):
            if until(lambda: connect() is not None, _OTHER_STARTS_S):
                return _answering()
        raise LabError(
            f"A dockerd runs that does not answer at {DEFAULT_HOST} within {_OTHER_STARTS_S:.0f} s.",
            hint="point DOCKER_HOST at its socket, or stop it",
        )
    with progress.step("Starting a private Docker Engine"):
        _as_root(progress, "start", lambda: engine_private.start(Folders.here(), os.getuid(), os.getgid()))
    return _answering()


def _answering() -> Engine:
    found = connect()
    if found is None:
        raise LabError("The Docker Engine stopped answering.", hint="see why: ./lab doctor")
    return found


def restart(progress: Progress) -> None:
    """Restart the private engine. Labs that are up on it are told: their servers stop, and come back with `up`."""
    folders = Folders.here()
    running = _running_labs(folders)
    if running:
        progress.line(f"Labs that are up on it stop, and come back with ./lab up LAB: {', '.join(running)}")
    with progress.step("Restarting the private Docker Engine"):
        _as_root(progress, "restart", lambda: engine_private.restart(folders, os.getuid(), os.getgid()))


def stop(progress: Progress, *, labs_too: bool = False) -> None:
    """Stop the private engine and take back the rules, bridges and sysctls that it brought; its data stays.

    Refuses while labs' containers run, unless `labs_too`: then they are stopped. Does nothing if there is none.
    """
    folders = Folders.here()
    if not engine_private.traces(folders):
        progress.line("No private Docker Engine runs.")
        return
    running = _running_labs(folders)
    if running and not labs_too:
        raise LabError(
            f"Labs are up on the private Docker Engine: {', '.join(running)}", hint=f"./lab down {running[0]}"
        )
    with progress.step("Stopping the private Docker Engine"):
        _as_root(progress, "stop", lambda: engine_private.stop(folders, progress.line))


def private_host() -> str | None:
    """The URL of our private engine, where it listens."""
    folders = Folders.here()
    return folders.host if listens(folders.socket) else None


def remove(progress: Progress) -> None:
    """Stop the private engine and delete all that it holds: images, containers, volumes."""
    stop(progress)
    folders = Folders.here()
    if root_sees(folders.data):
        with progress.step(f"Deleting {folders.data}"):
            _as_root(progress, "remove", lambda: engine_private.remove(folders))


def root_sees(folder: Path) -> bool:
    """Whether a folder exists, as far as we can see."""
    try:
        return folder.exists()
    except PermissionError:
        return True


def _running_labs(folders: Folders) -> list[str]:
    """Names of labs, of whatever checkout, that have a running container on the private engine."""
    if not listens(folders.socket):
        return []
    try:
        with engine_client.connected(folders.host, _ANSWER_S) as asked:
            containers = asked.containers.list(filters={"label": plan.LAB_LABEL})
            return sorted({container.labels[plan.LAB_LABEL] for container in containers})
    except engine_client.EngineError:
        return []


def _as_root(progress: Progress, verb: str, action: Callable[[], None]) -> None:
    if os.geteuid() == 0:
        action()
        return
    words = [sys.executable, "-B", "-P", "-X", "utf8", "-m", "labkit.setup.docker.private"]
    words += [verb, str(os.getuid()), str(os.getgid())]
    env = {name: os.environ[name] for name in engine_private.TAKEN_VARIABLES if name in os.environ}
    outcome = root.run(words, timeout_s=max(_START_S, _STOP_S), env=env, check=False)
    if not outcome.ok:
        raise LabError(outcome.output.strip() or f"Could not {verb} the private engine.", hint="./lab doctor")
    for line in outcome.output.splitlines():
        progress.line(line)
