"""What of a lab is in Pulumi's state but no longer there, or there but not in it, and the steps that bring it back.

A plain `pulumi up` trusts its state, and a refresh dials the server's sockets: where the server itself is gone, what
stands on the laptop's engine must come back first. What a killed `up` made but could not note holds the name that the
next one needs, and a disk may be half of what it should be. `*_steps` are pure; the rest gathers facts and does them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra import names, plan, settings, telling
from infra.reach import Reach
from labkit.lifecycle import inside, leftovers, noted, servers, serving
from labkit.lifecycle.inside import KINDS, REMOVE, There, Thing
from labkit.lifecycle.pulumi import UP
from labkit.lifecycle.set_up import Ready
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.progress import Progress

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


def after_a_kill(
    ready: Ready,
    lab: str,
    progress: Progress,
    remove: Callable[[servers.OnEngine, str, Collection[str]], Iterable[str]],
    told: Callable[[str], None],
) -> None:
    """Clear what a killed command left: the lock of a dead Pulumi, what it made unnoted, what it was in the midst of.

    `remove` is what of leftovers removes, `told` is called with each thing that it did. Raises LabError, and touches
    nothing, beside a Pulumi that is at work on the lab.
    """
    claim(ready, lab, progress)
    for what in remove(ready.machine, lab, ready.pulumi.ids(lab)):
        told(what)
    ready.pulumi.forget_pending(lab)


def claim(ready: Ready, lab: str, progress: Progress) -> None:
    """Release the lock of a dead Pulumi. Raises LabError while one that lives is at work on the lab."""
    if ready.pulumi.claim(lab):
        progress.line("A Pulumi that no longer runs had locked the stack: lock released")


def in_no_server(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Pure: URNs of the providers whose server the state does not hold, though it holds what they made in it.

    An `up` that was killed while it made a server anew leaves that, and what was in the server is there no more.
    """
    noted = {one.part_of for one in known(resources) if one.is_server}
    servers_of = {str(resource["urn"]): names.server_by(resource["urn"]) for resource in resources}
    return [urn for urn, server in servers_of.items() if server not in ("", *noted)]


def before_down(ready: Ready, lab: str, progress: Progress, told: Callable[[str], None]) -> None:
    """Clear what a killed command left and what `pulumi destroy` could not delete. `told` is called with each removal.

    Raises LabError when Pulumi keeps what is gone, or is at work on the lab.
    """
    # What a killed `up` made unnoted would hold on to what Pulumi is to delete.
    after_a_kill(ready, lab, progress, leftovers.remove, told)
    _forget(ready, lab, in_no_server(ready.pulumi.resources(lab)))


def before_up(ready: Ready, lab: str, progress: Progress) -> tuple[str, ...]:
    """Clear what a killed command left, start the lab's servers, bring back what `pulumi up` could not.

    The words that `pulumi up` needs in addition. Raises LabError when a step fails.
    """
    after_a_kill(
        ready,
        lab,
        progress,
        leftovers.clear_way,
        lambda what: progress.line(f"Removed what an earlier up left: {what}"),
    )
    servers.start(ready.machine, lab, progress)
    named = settings.servers(stack_files.config(lab))
    wanted = (names.SOCKETS, *named, *plan.SERVING)
    clusters = stack_files.clustered(lab)
    resources, laptop = ready.pulumi.resources(lab), _on_laptop(ready, lab)
    tools = serving_gone(known(resources), laptop)
    begun = clusters and any(one.is_server for one in known(resources))
    if tools or (begun and unnoted(resources, plan.SERVING)):
        with progress.step("What serves the clusters is gone: making it anew"):
            _renew(ready, lab, tools, unnoted(resources, (names.SOCKETS, *plan.SERVING)))
        resources, laptop = ready.pulumi.resources(lab), _on_laptop(ready, lab)
    state = known(resources)
    steps = outer_steps(state, laptop, wanted)
    if clusters:
        servers.settle(ready.machine, lab, servers_gone(lab, named, laptop), progress)
    if steps.first:
        with progress.step("Servers, their volumes or their networks are gone: making them anew"):
            _renew(ready, lab, steps.first, unnoted(resources, wanted))
    with servers.engine(ready.machine) as client:
        for volume in steps.remove:
            progress.line(f"The volume {volume.name} is left of a server that is gone: it is made anew")
            client.volumes.get(volume.id).remove(force=True)
    # Where it is noted still, a server that is made before the next refresh gets one of the engine's own of its name.
    _forget(ready, lab, [one.urn for one in state if one.there in steps.remove])
    if clusters:
        serving.wake(ready.machine, lab, progress)
        _form(ready, lab, wanted, progress)
    words = set(steps.up)
    for server in _servers(ready, lab):
        name = server.container.removeprefix(servers.prefix(lab))
        for what in inside.undo(server):
            progress.line(f"Put right in {name}, as an experiment had left it: {what}")
        there = inside.look(server)
        inside.mend(server, [one.thing for one in state if one.server == name and one.there in there])
        steps = inner_steps(state, name, there)
        why = "is not as it was noted: it is made anew" if name in named else f"in {name} is left of an experiment"
        for one in steps.remove:
            progress.line(f"The {one.kind} {one.name} {why}")
            inside.remove(server, one)
        if steps.forget:
            with progress.step("Disks or VMs are gone: they are made anew"):
                _forget(ready, lab, steps.forget)
        words |= set(steps.up)
    for ended in noted.end(ready.machine.lab_dir(lab)):
        progress.line(f"Ended in {ended.replica}, as an experiment had left it: {ended.what}")
    return tuple(words)


def _form(ready: Ready, lab: str, wanted: Iterable[str], progress: Progress) -> None:
    """Form the clusters anew whose servers do not do their part: what is in these cannot be read, if not."""
    found = _servers(ready, lab)
    with ThreadPoolExecutor() as pool:
        well = list(pool.map(inside.does_its_part, found))
    idle = [one.container.removeprefix(servers.prefix(lab)) for one, part in zip(found, well, strict=True) if not part]
    resources = ready.pulumi.resources(lab) if idle else []
    if urns := sorted({urn for server in idle for urn in forming(resources, server)}):
        with progress.step(f"{', '.join(idle)} out of its cluster: it is formed anew"):
            again = [word for urn in urns for word in ("--target-replace", urn)]
            _do(ready, [*UP, "-s", lab, *again, *unnoted(resources, wanted)])


def _renew(ready: Ready, lab: str, urns: Sequence[str], new: Sequence[str]) -> None:
    targets = [word for urn in urns for word in ("--target", urn)]
    if targets:
        _do(ready, ["refresh", "--yes", "--skip-preview", "-s", lab, *targets])
    _do(ready, [*UP, "-s", lab, *targets, *new])


def _do(ready: Ready, words: Sequence[str]) -> None:
    outcome = ready.pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(
            f"What the lab stands on does not come back{telling.because(outcome.output)}", hint="./lab doctor"
        )


def _forget(ready: Ready, lab: str, urns: Sequence[str]) -> None:
    for urn in urns:
        if any(resource["urn"] == urn for resource in ready.pulumi.resources(lab)):
            outcome = ready.pulumi.quiet(["state", "delete", urn, "--target-dependents", "--yes", "-s", lab])
            if not outcome.ok:
                raise LabError(
                    f"Pulumi's state keeps what is gone{telling.because(outcome.output)}", hint="./lab doctor"
                )


def _servers(ready: Ready, lab: str) -> list[Reach]:
    with servers.engine(ready.machine) as client:
        return [servers.reach(ready.machine, str(server.name)) for server in servers.of(client, lab)]


def _on_laptop(ready: Ready, lab: str) -> frozenset[There]:
    with servers.engine(ready.machine) as client:
        mine = servers.filters(lab)
        return frozenset(
            [There("container", str(one.name), str(one.id)) for one in client.containers.list(all=True, filters=mine)]
            + [There("network", str(one.name), str(one.id)) for one in client.networks.list(filters=mine)]
            + [There("volume", str(one.name), str(one.name)) for one in client.volumes.list(filters=mine)]
        )
