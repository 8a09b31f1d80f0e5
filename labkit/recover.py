"""What of a lab is in Pulumi's state but no longer there, and the steps that bring it back.

A plain `pulumi up` trusts its state, and a refresh dials the server's sockets: where the server itself is gone, what
stands on the laptop's engine must come back first. `steps` is pure; the rest gathers its facts and does what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit import servers, shell
from labkit.errors import LabError
from labkit.progress import Report
from labkit.pulumi import UP
from labkit.setup import Ready

_KINDS = {
    "docker:index/container:Container": "container",
    "docker:index/network:Network": "network",
    "docker:index/volume:Volume": "volume",
    "libvirt:index/domain:Domain": "domain",
    "libvirt:index/pool:Pool": "pool",
    "libvirt:index/volume:Volume": "disk",
}
_LAPTOP = "pulumi:providers:docker::engine::"
_OVERLAY = ".qcow2"
_LOOK_S = 30

_LOOK = """
docker ps -a --format 'container {{.Names}}'
docker network ls --format 'network {{.Name}}'
docker volume ls --format 'volume {{.Name}}'
virsh -q list --all --name | sed 's/^/domain /'
virsh -q pool-list --all --name | sed 's/^/pool /'
if virsh -q pool-refresh lab >/dev/null 2>&1; then
  virsh -q vol-list lab | awk '{print "disk " $1}'
fi
"""
"""Asks a server what it holds, one "kind name" a line."""

Thing = tuple[str, str]
"""Kind and name of an object: ("domain", "vm-1")."""


@dataclass(frozen=True)
class Known:
    """An object of Pulumi's state. `outer`: it stands on the laptop's engine; else inside a server."""

    thing: Thing
    urn: str
    outer: bool


@dataclass(frozen=True)
class Steps:
    """What must be done before `pulumi up`, in this order, and the words that are added to it."""

    first: tuple[str, ...] = ()
    """URNs that are refreshed, then brought up, before all else: without them the rest cannot even be read."""

    forget: tuple[str, ...] = ()
    """URNs that leave the state with all that depends on them: the provider cannot read a disk without its pool."""

    undefine: tuple[str, ...] = ()
    """Domains whose disk is gone: the provider cannot read such a domain."""

    up: tuple[str, ...] = ()


def known(resources: Sequence[Mapping[str, Any]]) -> list[Known]:
    """Pure: what Pulumi's state holds of the kinds that a person can remove by hand."""
    return [
        Known(
            thing=(_KINDS[resource["type"]], resource["inputs"]["name"]),
            urn=resource["urn"],
            outer=_LAPTOP in resource.get("provider", ""),
        )
        for resource in resources
        if resource["type"] in _KINDS and not resource.get("delete")
    ]


def outer_steps(state: Sequence[Known], laptop: frozenset[Thing]) -> Steps:
    """Pure: the steps when something on the laptop's engine is gone; all of it is looked at anew, then the inside."""
    outer = [one for one in state if one.outer]
    if all(one.thing in laptop for one in outer):
        return Steps()
    return Steps(first=tuple(one.urn for one in outer), up=("--refresh",))


def inner_steps(state: Sequence[Known], inside: frozenset[Thing]) -> Steps:
    """Pure: the steps when the server is there and something inside it is gone."""
    inner = [one for one in state if not one.outer]
    undefine = tuple(
        name
        for kind, name in sorted(one.thing for one in inner)
        if kind == "domain" and ("domain", name) in inside and ("disk", f"{name}{_OVERLAY}") not in inside
    )
    gone = [one for one in inner if one.thing not in inside]
    pooled = any(kind == "pool" for kind, _ in inside)
    forget = () if pooled else tuple(one.urn for one in gone if one.thing[0] == "disk")
    return Steps(forget=forget, undefine=undefine, up=("--refresh",) if gone or undefine else ())


def before_up(ready: Ready, lab: str, report: Report) -> tuple[str, ...]:
    """Bring back what `pulumi up` could not; the words that `pulumi up` needs in addition.

    The lab's servers that exist must be running. Raises LabError when a step fails.
    """
    state = known(ready.pulumi.resources(lab))
    steps = outer_steps(state, _on_laptop(ready, lab))
    if steps.first:
        with report.step("The server, its volumes or its network are gone: making them anew"):
            _renew(ready, lab, steps.first)
    words = set(steps.up)
    for server in _servers(ready, lab):
        steps = inner_steps(state, _inside(ready, server))
        for domain in steps.undefine:
            report.line(f"The disk of {domain} is gone: the VM is made anew")
            script = 'virsh destroy "$1" >/dev/null 2>&1; virsh undefine "$1"'
            _run(ready, server, ["sh", "-c", script, "sh", domain])
        if steps.forget:
            with report.step("The pool of the VMs' disks is gone: they are made anew"):
                _forget(ready, lab, steps.forget)
        words |= set(steps.up)
    return tuple(words)


def _renew(ready: Ready, lab: str, urns: Sequence[str]) -> None:
    targets = [word for urn in urns for word in ("--target", urn)]
    for words in (("refresh", "--yes", "--skip-preview"), UP):
        outcome = ready.pulumi.quiet([*words, "-s", lab, *targets])
        if not outcome.ok:
            raise LabError(f"What the lab stands on does not come back: {outcome.output[-2000:]}", hint="./lab doctor")


def _forget(ready: Ready, lab: str, urns: Sequence[str]) -> None:
    for urn in urns:
        if any(resource["urn"] == urn for resource in ready.pulumi.resources(lab)):
            outcome = ready.pulumi.quiet(["state", "delete", urn, "--target-dependents", "--yes", "-s", lab])
            if not outcome.ok:
                raise LabError(f"Pulumi's state keeps what is gone: {outcome.output[-2000:]}", hint="./lab doctor")


def _servers(ready: Ready, lab: str) -> list[str]:
    with servers.engine(ready.machine) as client:
        return [str(server.name) for server in servers.of(client, lab)]


def _on_laptop(ready: Ready, lab: str) -> frozenset[Thing]:
    with servers.engine(ready.machine) as client:
        mine = servers.filters(lab)
        return frozenset(
            [("container", str(one.name)) for one in client.containers.list(all=True, filters=mine)]
            + [("network", str(one.name)) for one in client.networks.list(filters=mine)]
            + [("volume", str(one.name)) for one in client.volumes.list(filters=mine)]
        )


def _inside(ready: Ready, server: str) -> frozenset[Thing]:
    found = (line.split(maxsplit=1) for line in _run(ready, server, ["sh", "-c", _LOOK]).splitlines())
    return frozenset((words[0], words[1].strip()) for words in found if len(words) > 1)


def _run(ready: Ready, server: str, command: Sequence[str]) -> str:
    words = ["docker", "--host", ready.machine.docker_host, "exec", server, *command]
    return shell.run(words, timeout_s=_LOOK_S, hint="./lab doctor").output
