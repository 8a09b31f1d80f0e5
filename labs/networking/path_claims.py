"""What the experiment *path* lets one say of the article's row "Networking": claims whose evidence are hops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.judge.model import Claim, Observed
from labkit.judge.observed import Facts, seen
from labkit.runs.records import Arm
from labs.networking import hops
from labs.networking.arms import ADDRESS, BRIDGED, HOST, NAT, PUBLISHED
from labs.networking.hops import REQUEST, Hop

_ROW = "Networking"


def _kinds(way: Sequence[Hop]) -> list[str]:
    return [hop.kind for hop in way]


def _own_kernel(way: Sequence[Hop]) -> bool:
    """Whether it ends at an adapter of a kernel that is not the server's, and comes in there."""
    return way[-1].clock == "replica" and way[-1].way == "in"


def _bridged(way: Sequence[Hop]) -> bool:
    kinds = _kinds(way)
    return {"bridge", "tun"} <= set(kinds) and hops.translated(way) is None and _own_kernel(way)


def _nat(way: Sequence[Hop]) -> bool:
    return {"bridge", "tun"} <= set(_kinds(way)) and hops.translated(way) is not None and _own_kernel(way)


def _published(way: Sequence[Hop]) -> bool:
    ends = way[-1].clock == "server" and way[-1].kind == "veth" and way[-1].place != way[0].place
    return ends and {"bridge", "veth"} <= set(_kinds(way)) and hops.translated(way) is not None


def _address(way: Sequence[Hop]) -> bool:
    ends = way[-1].clock == "server" and way[-1].kind in ("macvlan", "ipvlan") and way[-1].place != way[0].place
    return ends and hops.translated(way) is None


def _host(way: Sequence[Hop]) -> bool:
    return {hop.place for hop in way} == {way[0].place} and hops.translated(way) is None


def _see(true: Callable[[Sequence[Hop]], bool]) -> Callable[[Facts], tuple[bool, Mapping[str, Any]] | None]:
    def see(facts: Facts) -> tuple[bool, Mapping[str, Any]] | None:
        way = hops.of_facts(facts)[REQUEST]
        if not way:
            return None
        return true(way), {"the request passed": hops.in_words(way), "its addresses": _addresses(way)}

    return see


def _addresses(way: Sequence[Hop]) -> str:
    changed = hops.translated(way)
    return f"{changed[0]} became {changed[1]}" if changed else "as they were sent"


def _observed(name: str, arm: Arm, text: str, true: Callable[[Sequence[Hop]], bool], because: str) -> Observed:
    return Observed(name, _ROW, text, "path", seen("path", (arm,), _see(true)), because)


CLAIMS: tuple[Claim, ...] = (
    _observed(
        "bridged-vm-ends-in-its-own-kernel",
        BRIDGED,
        "A bridged VM's packet passes a bridge and a tap as it was sent, and ends in an adapter of another kernel.",
        _bridged,
        "the bridge passes frames by their MAC to the tap, a file that QEMU reads; its virtual adapter hands them to "
        "the guest's driver.",
    ),
    _observed(
        "nat-vm-is-translated",
        NAT,
        "A packet to a VM behind NAT is rewritten in its server, and ends in an adapter of another kernel.",
        _nat,
        "the guest's network is known to its server alone, so that a port of the server stands for the guest.",
    ),
    _observed(
        "published-container-is-translated",
        PUBLISHED,
        "A packet to a published port is rewritten in its server, and passes the engine's bridge and a veth pair "
        "within one kernel.",
        _published,
        "the engine has the server's kernel translate the port (DNAT); a veth pair is two ends in two namespaces.",
    ),
    _observed(
        "address-container-is-not-translated",
        ADDRESS,
        "A container with an address of its own gets a packet as it was sent, at an adapter that lies on the server's.",
        _address,
        "a macvlan takes the frames of its MAC off the interface below it, before the server's own stack sees them.",
    ),
    _observed(
        "host-container-has-its-servers-network",
        HOST,
        "A packet to a container on its server's network passes nothing but the server's own interfaces.",
        _host,
        "it has no network namespace of its own: its sockets are in the server's.",
    ),
)
