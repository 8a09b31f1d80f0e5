"""The paths by which a request can reach a replica, as rows. Pure: the program, the contract and the tool read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from infra.plan import SERVICE_PORT, Plan, nat_port
from infra.sides import KINDS as SIDES
from infra.sides import NAMES


@dataclass(frozen=True)
class PathKind:
    """One way from the lab's LAN to a replica of one side."""

    name: str
    side: str
    url: Callable[[Plan, int, str], str]
    """Where the service answers: from the plan, the replica's index on its side, and its server's address."""


KINDS: Mapping[str, PathKind] = {
    row.name: row
    for row in (
        # a tap on the server's bridge; its address is one of the LAN
        PathKind("bridged", "vm", lambda plan, index, _: plan.vm_url(index)),
        # a tap on a libvirt network, to which the server translates one of its own ports
        PathKind("nat", "vm", lambda _, index, server: f"http://{server}:{nat_port(index)}"),
        # a veth on the engine's bridge, to which the server translates a port
        PathKind("published", "container", lambda plan, index, server: plan.container_url(index, server)),
        # a macvlan on the server's bridge; its address is one of the LAN
        PathKind(
            "address", "container", lambda plan, index, _: f"http://{plan.container_address(index)}:{SERVICE_PORT}"
        ),
        # nothing: the container has its server's network
        PathKind("host", "container", lambda plan, index, server: plan.container_url(index, server)),
    )
}
ALL = "all"
"""In place of their names: every path of every side."""


def of(side: str) -> tuple[str, ...]:
    """The names of a side's paths; the first is the one that a lab has which names none. A side without rows has one
    without a name.
    """
    return tuple(row.name for row in KINDS.values() if row.side == side) or ("",)


def taken(side: str, path: str) -> str:
    """The path of a replica; of one that an earlier version made, which names none, its side's first."""
    return path or of(side)[0]


def url(side: str, path: str, plan: Plan, index: int, server: str) -> str:
    """Where a side's replica answers along one of the side's paths."""
    return KINDS[path].url(plan, index, server) if path else f"http://{server}:{SIDES[side].port + index}"


DEFAULT = ",".join(of(side)[0] for side in NAMES if of(side)[0])
"""The first one of each side."""


def chosen(text: str) -> tuple[str, ...]:
    """The paths that a text names, in the order of the rows. Raises ValueError with the rule that it breaks."""
    words = [word.strip() for word in text.split(",")]
    if words == [ALL]:
        return tuple(KINDS)
    unknown = [word for word in words if word not in KINDS]
    if unknown or len(words) != len(set(words)):
        raise ValueError(f"{ALL} is needed, or some of {', '.join(KINDS)}, each once, with commas between them")
    return tuple(name for name in KINDS if name in words)


def along(paths: Iterable[str], side: str) -> tuple[str, ...]:
    """Those of a side among some paths; its first where there is none: a side that is brought up has one."""
    return tuple(name for name in paths if KINDS[name].side == side) or of(side)[:1]


def at(paths: Iterable[str], side: str, index: int) -> str:
    """The path of a side's replica: they take the side's paths in turn."""
    own = along(paths, side)
    return own[index % len(own)]
