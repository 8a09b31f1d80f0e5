"""What of a lab is in Pulumi's state but no longer there, or there but not in it, and the steps that bring it back.

A plain `pulumi up` trusts its state, and a refresh dials the server's sockets: where the server itself is gone, what
stands on the laptop's engine must come back first. What a killed `up` made but could not note holds the name that the
next one needs, and a disk may be half of what it should be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra import names, plan
from labkit.lifecycle import servers
from labkit.lifecycle.inside import KINDS, REMOVE, There, Thing

_NETWORKS = ("nat-network", "network")
"""Kinds of what domains and containers hang on."""

_SERVER = "container"
"""Kind of a server on the laptop's engine."""


@dataclass(frozen=True)
class Known:
    """An object of Pulumi's state."""

    there: There
    urn: str
    server: str = ""
    """Name of the server in which it is, as in the contract; "" if it stands on the laptop's engine."""
    broken: bool = False
    """Its creation failed half-way; Pulumi would take it for good with the next `up`."""
    going: bool = False
    """Another has replaced it; Pulumi deletes it with the next `up`."""
    needs: tuple[str, ...] = ()
    """URNs of what it was made of."""
    again: bool = False
    """It was deleted for another to be made in its place: what is there now under its name is not it."""

    @property
    def thing(self) -> Thing:
        """What a person calls it."""
        return self.there.thing

    @property
    def outer(self) -> bool:
        """Whether it stands on the laptop's engine."""
        return not self.server

    @property
    def is_server(self) -> bool:
        """Whether it is one, and not what stands on the laptop's engine beside them."""
        return self.outer and self.there.kind == _SERVER and not names.serving_in(self.urn)

    @property
    def part_of(self) -> str:
        """Of what stands on the laptop's engine, the server that it is or is a volume of, or the role of what serves
        them, such as the edge; "" if all stand on it."""
        if not self.outer:
            return ""
        return names.server_in(self.urn) or names.serving_in(self.urn)


@dataclass(frozen=True)
class Steps:
    """What must be done before `pulumi up`, in this order, and the words that are added to it."""

    first: tuple[str, ...] = ()
    """URNs that are refreshed, then brought up, before all else: without them the rest cannot even be read."""

    forget: tuple[str, ...] = ()
    """URNs that leave the state with all that depends on them: the provider cannot read a disk without its pool."""

    remove: tuple[There, ...] = ()
    """What goes, inside the server: domains whose disk or network is gone (the provider cannot read such a domain),
    containers whose network is gone (it does not see that they are on none), what nobody noted, and disks that are
    broken; outside: volumes of a server that is gone with all it held."""

    up: tuple[str, ...] = ()


def known(resources: Sequence[Mapping[str, Any]]) -> list[Known]:
    """Pure: what Pulumi's state holds of the kinds that a person can remove by hand."""
    return [
        Known(
            there=There(KINDS[resource["type"]], resource["inputs"]["name"], resource.get("id", "")),
            urn=resource["urn"],
            server=names.server_by(resource.get("provider", "")),
            broken=bool(resource.get("initErrors")),
            needs=tuple(resource.get("dependencies") or ()),
            going=bool(resource.get("delete")),
            again=bool(resource.get("pendingReplacement")),
        )
        for resource in resources
        if resource["type"] in KINDS
    ]


def outer_steps(state: Sequence[Known], laptop: Collection[There], wanted: Collection[str]) -> Steps:
    """Pure: the steps when something on the laptop's engine is gone: its server is looked at anew, then the inside.

    A server that was deleted to be made anew comes back with the rest: the inside cannot be refreshed without it. One
    that is not among the `wanted` is an experiment's that was killed: nothing of it comes back.
    """
    outer = [one for one in state if one.outer and not one.going]
    volumes = tuple(sorted(one.there for one in _bare(state) if one.there in laptop))
    if outer and all(one.outer and not one.is_server for one in state):
        # An `up` or `down` that ended between two steps: no server is noted, nor anything in one.
        return Steps(remove=volumes, up=("--refresh",))
    gone = {one.part_of for one in outer if not one.again and one.there not in laptop}
    if not gone:
        return Steps(remove=volumes, up=("--refresh",) if volumes else ())
    back = [one for one in outer if one.part_of in ("", *wanted)]
    whole = "" in gone  # what all servers stand on
    first = [one.urn for one in back if whole or one.part_of in ("", *gone)] if whole or gone & {*wanted} else []
    return Steps(first=tuple(first), remove=volumes, up=("--refresh",))


def serving_gone(state: Sequence[Known], laptop: Collection[There]) -> list[str]:
    """Pure: URNs of what serves clusters and is gone, where all that it stands on is there: without a power service
    nobody is fenced, so that no cluster has done with a server that is gone."""
    gone = [one for one in state if one.outer and not one.going and not one.again and one.there not in laptop]
    return [one.urn for one in gone if one.part_of in plan.SERVING] if all(one.part_of for one in gone) else []


def servers_gone(lab: str, named: Iterable[str], laptop: Collection[There]) -> list[str]:
    """Pure: which of the servers that a lab is to have are not there, noted or not: a killed `up` may have begun
    to make one anew."""
    there = {one.name for one in laptop if one.kind == _SERVER}
    return [name for name in named if f"{servers.prefix(lab)}{name}" not in there]


def _bare(state: Sequence[Known]) -> list[Known]:
    """Volumes whose server is noted no more, nor anything that was in it.

    What a `down` leaves to go with its server is still in them, and would be in the way of what is made anew. A volume
    that several servers share is bare when the last of them is; what serves them takes its own over.
    """
    noted = {one.part_of for one in state if one.is_server}
    held = {one.server for one in state if not one.outer}
    needed = {urn for one in state if one.outer and one.there.kind == _SERVER for urn in one.needs}

    def bare(one: Known) -> bool:
        if one.part_of:
            return one.part_of not in {*noted, *held, *plan.SERVING}
        return one.urn not in needed and held <= noted

    return [one for one in state if one.outer and one.there.kind == "volume" and not one.going and bare(one)]


def inner_steps(state: Sequence[Known], server: str, there: Collection[There]) -> Steps:
    """Pure: the steps when a server is there and what is in it is not what the state says of this server.

    What another server holds is never missing here.
    """
    mine = [one for one in state if one.server == server]
    noted = {one.there for one in mine if not one.again}
    inner = [one for one in mine if not one.going and not one.again]
    strays = {one for one in there if one not in noted and one.made_by_up}
    broken = {one.there for one in inner if one.broken and one.thing[0] == "disk"}
    left = {one.thing for one in there if one not in strays}
    pooled = any(kind == "pool" for kind, _ in left)
    # The disk of a domain may be in the pool of another server, which shares it.
    shared = {one.thing for one in state if one.server not in ("", server)} - {one.thing for one in mine}
    unread = {
        one
        for one in there
        if one.kind == "domain" and one in noted
        for disk in [("disk", names.overlay(one.name))]
        if disk not in shared and not (pooled and disk in left)
    }
    order = list(REMOVE)
    lost = {one.urn for one in inner if one.there.kind in _NETWORKS and one.there not in there}
    unread |= {one.there for one in inner if one.there in there and lost & {*one.needs}}
    remove = sorted({*unread, *broken, *strays} & set(there), key=lambda one: (order.index(one.kind), one.name))
    gone = [one for one in inner if one.there not in there]
    disks = [one for one in inner if one.thing[0] == "disk"]
    forget = [] if pooled else [one.urn for one in disks]
    forget += _deleted_twice(mine, there)
    return Steps(forget=tuple(forget), remove=tuple(remove), up=("--refresh",) if gone or unread or broken else ())


def _deleted_twice(mine: Sequence[Known], there: Collection[There]) -> list[str]:
    # Where a disk is made anew, Pulumi deletes the domain on it once more, which the provider refuses if it is gone.
    again = {one.thing for one in mine if one.again}
    urns = [one.urn for one in mine]
    return [
        one.urn
        for one in mine
        if one.there.kind == "domain"
        and (one.again or one.going)
        and one.there not in there
        and ("disk", names.overlay(one.there.name)) in again
        and urns.count(one.urn) == 1
    ]


def forming(resources: Sequence[Mapping[str, Any]], server: str) -> list[str]:
    """Pure: URNs of what forms a server into its cluster."""
    return [resource["urn"] for resource in resources if server in (resource.get("inputs", {}).get("servers") or {})]


def unnoted(resources: Sequence[Mapping[str, Any]], wanted: Iterable[str]) -> list[str]:
    """Pure: words for `pulumi up --target` that make, of these resources, those that the state does not hold, with what
    has their names: what was gone when an earlier healing was cut off, or is new since the lab was brought up.

    Whatever is targeted may depend on them.
    """
    noted = {str(resource["urn"]).rpartition("::")[2] for resource in resources if resource.get("custom")}
    names_ = [one for name in wanted if name not in noted for one in (name, f"{name}-*")]
    return [word for name in names_ for word in ("--target", f"**::{name}")]


def in_no_server(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Pure: URNs of the providers whose server the state does not hold, though it holds what they made in it.

    An `up` that was killed while it made a server anew leaves that, and what was in the server is there no more.
    """
    noted = {one.part_of for one in known(resources) if one.is_server}
    servers_of = {str(resource["urn"]): names.server_by(resource["urn"]) for resource in resources}
    return [urn for urn, server in servers_of.items() if server not in ("", *noted)]
