"""Is a lab in its steady state, in which alone it may be measured? And how it is brought back there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from infra import answers, outputs, paths, telling
from infra.outputs import Contract, Replica
from labkit.lifecycle import heal, inside, servers, serving
from labkit.lifecycle.pulumi import UP
from labkit.lifecycle.running import RunningLab
from labkit.lifecycle.set_up import Ready
from labkit.system import waiting
from labkit.system.errors import CommandError, LabError

_ASK_S = 5.0
_LOOK_S = 1.5
_LOOKS_WITHIN_S = 20.0
"""Bound of a server's next look at itself, ten seconds after its last: it sees what was put right a moment ago."""


def contract(ready: Ready, lab: str) -> Contract:
    """What the lab exports. Raises LabError when it is not up."""
    try:
        return outputs.from_outputs(ready.pulumi.outputs(lab))
    except outputs.ContractError as error:
        raise LabError(f"The lab {lab} cannot be measured: {error}.", hint=f"./lab up {lab}") from error


def check(place: RunningLab, more: Callable[[RunningLab], Iterable[str]] = lambda _place: ()) -> None:
    """Raise LabError naming everything that keeps the lab from being measured; all replicas are asked at once.

    `more` says what else must be well in this lab.
    """
    found = [*problems(place), *more(place)]
    if found:
        raise LabError(
            f"The lab {place.lab} is not in its steady state:\n  " + "\n  ".join(found), hint=f"./lab up {place.lab}"
        )


def problems(place: RunningLab) -> Iterator[str]:
    """What is wrong with the lab, a sentence each."""
    if place.ready.pulumi.at_work(place.lab):
        yield "A Pulumi is at work on it."
    clustered = any(server.side for server in place.contract.servers)
    with servers.engine(place.ready.machine) as client:
        if clustered:
            yield from serving.problems(place.ready.machine, client, place.lab)
        for server in servers.of(client, place.lab):
            health = _health(server)
            if (server.status, health) != (servers.RUNNING, "healthy"):
                yield f"The server {server.name} is {server.status} {health}".rstrip() + "."
            if server.status == servers.RUNNING:
                reach = servers.reach(place.ready.machine, str(server.name))
                if clustered and not inside.does_its_part(reach, tries=1):
                    yield f"The server {server.name} does not do its part in its cluster."
                left = inside.undo(reach, look=True)
                yield from (f"In the server {server.name} an experiment was cut off: {what}." for what in left)
    replicas = place.contract.replicas
    with ThreadPoolExecutor() as pool:
        told = pool.map(lambda replica: wrong(replica, place.contract.service_version), replicas)
        yield from (problem for problem in told if problem)


def _health(server: Any) -> str:
    """What a server last told of itself; of one that runs and is not well, what it tells of its next look."""

    def well() -> bool:
        return servers.health(server) == "healthy" or server.status != servers.RUNNING

    waiting.until(well, _LOOKS_WITHIN_S, 0.5)
    return servers.health(server)


def wrong(replica: Replica, version: str, within_s: float = _ASK_S) -> str:
    """Why a replica's answer is not the right one; empty if it is."""
    try:
        said = whoami(replica, within_s)
    except LabError as error:
        return error.problem
    found = (said.get("replica"), said.get("side"), said.get("version"))
    if found != (replica.name, replica.side, version):
        return f"{replica.name} should answer as itself with version {version}, but is {found[0]} with {found[2]}."
    return ""


def whoami(replica: Replica, within_s: float = _ASK_S) -> dict[str, Any]:
    """What a replica says of itself. Raises LabError when it does not answer 200."""
    try:
        return answers.whoami(replica.url, within_s)
    except answers.UnansweredError as error:
        along = f" (path {replica.path})" if replica.path not in ("", paths.of(replica.side)[0]) else ""
        raise LabError(
            f"{replica.name} at {replica.url}{along} does not answer: {error}".rstrip(": ") + ".",
            hint=f"./lab exec {replica.name}",
        ) from error


def asked(replica: Replica) -> dict[str, Any] | None:
    """The same; None where it does not answer 200."""
    try:
        return whoami(replica)
    except LabError:
        return None


def bring_back(place: RunningLab) -> None:
    """Make the lab steady again after whatever was done to it; fast where nothing is wrong.

    What Pulumi lacks it makes, and what is merely off or halted is started. Raises LabError when that does not help.
    """
    if not list(problems(place)):
        return
    ready, lab = place.ready, place.lab
    servers.start(ready.machine, lab, place.progress)
    ready.pulumi.release_stale_lock(lab)
    for replica in place.contract.replicas:
        if wrong(replica, place.contract.service_version, _LOOK_S):
            # One that is not there is Pulumi's to make, one that runs is only slow to answer.
            with suppress(CommandError):
                place.side(replica).start(replica, place.run(replica))
    words = [*UP, *heal.before_up(ready, lab, place.progress), "-s", lab]
    outcome = ready.pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(f"The lab {lab} does not come back{telling.because(outcome.output)}", hint=f"./lab up {lab}")
    for replica in place.contract.replicas:
        try:
            answers.wait_until_ready(replica.url, replica.name, place.contract.service_version)
        except answers.NotReadyError as error:
            raise LabError(str(error), hint=f"./lab up {lab}") from error
