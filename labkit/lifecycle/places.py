"""Where `./lab exec` and `capture` can go: what a lab exports, else what is there of one whose `up` ended half-way.

What is there is read off the engine and the servers, by the names that the plan gives. Deciding is pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from infra import names, outputs, paths, plan
from infra.machine import Machine
from labkit.lifecycle import inside, servers
from labkit.lifecycle.inside import There
from labkit.lifecycle.set_up import Ready
from labkit.sides import SIDES, where
from labkit.system import shell, stack_files
from labkit.system.errors import LabError, meant
from labkit.system.paths import CHECKOUT_ID

_LOOK_S = 30


@dataclass(frozen=True)
class Entrance:
    """A replica or a server of a lab that one can go into; of a server `replica` is None."""

    lab: str
    server: outputs.Server
    replica: outputs.Replica | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.replica.name if self.replica else self.server.name


def exported(contract: outputs.Contract) -> list[Entrance]:
    """Pure: the places of a lab that is up, replicas first."""
    by_name = {server.name: server for server in contract.servers}
    replicas = [Entrance(contract.lab, by_name[one.server], one) for one in contract.replicas]
    return replicas + [Entrance(contract.lab, server) for server in contract.servers]


def moved(contract: outputs.Contract, addresses: Mapping[str, str]) -> bool:
    """Pure: whether a server (by its container) has another address than the contract says.

    So it is after an `up` that ended half-way through a replacement: the outputs are those of the `up` before.
    """
    return any(addresses.get(server.container, server.address) != server.address for server in contract.servers)


def standing(lab: str, containers: Iterable[Mapping[str, Any]], machine: Machine) -> list[outputs.Server]:
    """Pure: the lab's servers, from what the engine says of their containers."""
    prefix = plan.Plan(CHECKOUT_ID, lab, plan.default_subnet(CHECKOUT_ID, lab)).name("")
    found = []
    for one in containers:
        full = str(one["Name"]).removeprefix("/")
        name = full.removeprefix(prefix)
        sockets = machine.sockets_dir(lab, name)
        address = _on_lan(lab, one).get("IPAddress", "")
        uri = f"qemu+unix:///system?socket={sockets}/libvirt.sock"
        reach = servers.reach(machine, full)
        found.append(outputs.Server(name, address, reach, f"unix://{sockets}/docker.sock", uri))
    return sorted(found, key=lambda server: server.name)


def _on_lan(lab: str, container: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the engine says of a server on the lab's LAN, which may not be its only network; empty if nothing."""
    networks: Mapping[str, Mapping[str, Any]] = container["NetworkSettings"]["Networks"]
    return networks.get(plan.object_name(CHECKOUT_ID, lab, plan.LAN), {})


def replicas(
    lab: str, server: outputs.Server, prefix_length: int, there: Collection[There], along: Sequence[str] = ()
) -> list[outputs.Replica]:
    """Pure: the replicas in a server, from what is in it; they answer where the plan says, `along` the lab's paths."""
    planned = plan.Plan(CHECKOUT_ID, lab, ipaddress.IPv4Interface(f"{server.address}/{prefix_length}").network)
    found = []
    for name, side in SIDES.items():
        for one in sorted(there):
            number = one.name.removeprefix(f"{name}-")
            if one.kind == side.OBJECTS[0].kind and one.name.startswith(f"{name}-") and number.isdigit():
                index = names.index(one.name)
                path = paths.at(along, name, index)
                url = paths.url(name, path, planned, index, server.address)
                found.append(outputs.Replica(one.name, name, server.name, url, one.name, path))
    return found


def of(ready: Ready, lab: str) -> list[Entrance]:
    """The places of a lab: of one that is whole by its outputs, of any other by what is there now."""
    contract = None
    with suppress(outputs.ContractError):
        contract = outputs.from_outputs(ready.pulumi.outputs(lab))
    with servers.engine(ready.machine) as client:
        containers = [server.attrs for server in servers.of(client, lab)]
    found = standing(lab, containers, ready.machine)
    if contract is not None and not moved(contract, {one.container: one.address for one in found if one.address}):
        return exported(contract)
    places, along = [], _along(lab)
    for server, container in zip(found, sorted(containers, key=lambda one: str(one["Name"])), strict=True):
        length = _on_lan(lab, container).get("IPPrefixLen", 0)
        inner = inside.look(server.reach) if container["State"]["Running"] else ()
        places += [Entrance(lab, server, one) for one in (replicas(lab, server, length, inner, along) if inner else ())]
        places.append(Entrance(lab, server))
    return places


def find(ready: Ready, name: str, lab: str | None, verb: str) -> Entrance:
    """The place of this name, in the lab named or in whichever has it.

    Raises LabError, with a next step for whoever typed `./lab VERB`, where there is none or more than one.
    """
    labs = [stack_files.known(lab)] if lab else stack_files.names()
    there = [one for each in labs for one in of(ready, each)]
    if not there:
        which = f"The lab {lab} is not up" if lab else "No lab is up"
        raise LabError(f"{which}, so there is no replica {name!r}.", hint=f"./lab up {lab or stack_files.example()}")
    names = [one.name for one in there]
    matches = [one for one in there if one.name == name]
    if not matches:
        raise LabError(
            f"There is no replica {name!r}. There is: {', '.join(names)}.", hint=meant(name, names, "./lab status")
        )
    if len(matches) > 1:
        labs_of = " or ".join(f"--lab {one.lab}" for one in matches)
        raise LabError(f"{name} is in more than one lab.", hint=f"./lab {verb} {labs_of} {name}")
    return _now(matches[0], [one.server for one in there if one.lab == matches[0].lab and one.replica is None])


def _now(place: Entrance, servers: Sequence[outputs.Server]) -> Entrance:
    """The place of a replica that a cluster may have moved; where it runs nowhere, that of which its lab tells."""
    found = where.found(place.replica, servers) if place.replica else []
    return Entrance(place.lab, *found[0]) if found else place


def _along(lab: str) -> Sequence[str]:
    with suppress(ValueError):  # it is told of where the lab is brought up
        return paths.chosen(stack_files.values(lab).get("paths", paths.DEFAULT))
    return ()


def closed(place: Entrance, state: str, *, key_known: bool) -> LabError | None:
    """Pure: why one could not get in, from the `state` in which its own manager says it is; None: not by that."""
    if place.replica is None:
        gone = LabError(f"The server {place.name} is {state or 'gone'}.", hint=f"./lab up {place.lab}")
        return None if state == servers.RUNNING else gone
    side = SIDES[place.replica.side]
    look = f"./lab exec {place.server.name} {side.LOOK.format(name=place.name)}"
    if state != servers.RUNNING:
        return LabError(f"{place.name} is {state or 'gone'}.", hint=look if state else f"./lab up {place.lab}")
    if side.HAS_KEY and not key_known:
        return LabError(f"{place.name} runs, but was never configured: its ssh key is not known yet.", hint=look)
    return None


def state(place: Entrance) -> str:
    """In which state a place is, as its own manager says; "" if it is not there."""
    reach = place.server.reach
    if place.replica is None:
        words = reach.words_state()
    else:
        words = reach.words([*SIDES[place.replica.side].STATE, place.replica.handle])
    done = shell.run(words, timeout_s=_LOOK_S, check=False, stdout_only=True)
    return done.output.strip() if done.ok else ""
