"""From sights of packets to hops: what one packet passed, in order, and which addresses it had there. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from labs.networking.packets import Packet, Way

Clock = Literal["server", "replica"]
"""Whose kernel stamped a hop; two of one clock can be compared, two of different ones cannot."""

Journeys = Mapping[str, Sequence["Hop"]]
OPENING, REQUEST, ANSWER, ASIDE = "opening", "request", "answer", "aside"


@dataclass(frozen=True)
class Interface:
    """A network interface as its kernel has it. `kind` is what the kernel calls it; "" for an adapter."""

    name: str
    kind: str
    master: str = ""
    """The bridge that it is a port of."""


@dataclass(frozen=True)
class Sight:
    """All that was seen in one network namespace."""

    place: str
    """The server's name, or the replica's."""
    clock: Clock
    interfaces: Mapping[int, Interface]
    packets: Sequence[Packet]


@dataclass(frozen=True)
class Hop:
    """One packet at one interface."""

    place: str
    interface: str
    kind: str
    """What the kernel calls the interface: bridge, veth, tun (a tap), macvlan; "" for an adapter."""
    master: str
    way: Way
    """Past: a bridge has passed it on, and shows it only to who listens; what comes in at its port is on its way in."""
    source: str
    destination: str
    after_us: float
    """Since its first hop on this clock."""
    clock: Clock


def interfaces(told: str) -> dict[int, Interface]:
    """What `ip -details -json link` tells, by index."""
    return {
        int(link["ifindex"]): Interface(
            str(link["ifname"]), str(link.get("linkinfo", {}).get("info_kind", "")), str(link.get("master", ""))
        )
        for link in json.loads(told)
    }


def journeys(sights: Sequence[Sight], client: int, mark: bytes, port: str) -> dict[str, list[Hop]]:
    """The way there of the first packet and of the marked request, and the way back of the answer's first packet.

    `client` is the port from which the connection was opened, `port` the server's interface behind which the replica
    is; "" where there is none. What was not seen is not there. Where a bridge sent the request elsewhere too, that is
    `aside`: so it does with a frame whose address it has not learned.
    """
    mine = f":{client}"
    opening = _journey(sights, lambda one: one.opens and one.source.endswith(mine))
    request = _journey(sights, lambda one: mark in one.payload)
    answer = _journey(sights, lambda one: bool(one.payload) and one.destination.endswith(mine), back=True)
    home = opening[0].interface if opening else ""
    return {
        OPENING: [hop for hop in opening if not _elsewhere(hop, port)],
        REQUEST: [hop for hop in request if not _elsewhere(hop, port)],
        ANSWER: [hop for hop in answer if not _elsewhere(hop, home)],
        ASIDE: [hop for hop in request if _elsewhere(hop, port)],
    }


def _elsewhere(hop: Hop, port: str) -> bool:
    """Whether a bridge sends it out by a port that does not lead to where it goes."""
    return hop.way == "out" and hop.master != "" and hop.interface != port


def _journey(sights: Sequence[Sight], fits: Callable[[Packet], bool], *, back: bool = False) -> list[Hop]:
    clocks: tuple[Clock, ...] = ("replica", "server") if back else ("server", "replica")
    return [hop for clock in clocks for hop in _on_one_clock(clock, sights, fits)]


def _on_one_clock(clock: Clock, sights: Iterable[Sight], fits: Callable[[Packet], bool]) -> list[Hop]:
    """In the order of the stamps; the sort keeps that of one file, as an interface hands its stamp on to its bridge."""
    seen = [(packet, one) for one in sights if one.clock == clock for packet in one.packets if fits(packet)]
    seen.sort(key=lambda found: found[0].at_ns)
    hops: dict[tuple[str, int, Way], Hop] = {}
    for packet, sight in seen:
        found = sight.interfaces.get(packet.interface, Interface(f"interface {packet.interface}", "?"))
        hops.setdefault(
            (sight.place, packet.interface, packet.way),
            Hop(
                sight.place,
                found.name,
                found.kind,
                found.master,
                "in" if packet.way == "past" and found.kind != "bridge" else packet.way,
                packet.source,
                packet.destination,
                round((packet.at_ns - seen[0][0].at_ns) / 1000, 1),
                clock,
            ),
        )
    return _bridges_in_place(list(hops.values()))


def _bridges_in_place(hops: list[Hop]) -> list[Hop]:
    """A bridge shows a frame that it passes on only after it has done so: it stands behind the port that it came by."""
    for bridge in [hop for hop in hops if hop.way == "past"]:
        rest = [hop for hop in hops if hop is not bridge]
        ports = [at for at, hop in enumerate(rest) if (hop.place, hop.master) == (bridge.place, bridge.interface)]
        if ports:
            hops = [*rest[: ports[0] + 1], bridge, *rest[ports[0] + 1 :]]
    return hops


def as_facts(found: Journeys) -> dict[str, list[dict[str, Any]]]:
    """As a run keeps them."""
    return {name: [asdict(hop) for hop in hops] for name, hops in found.items()}


def of_facts(facts: Mapping[str, Any]) -> dict[str, list[Hop]]:
    """As a run has kept them. Raises KeyError or TypeError where it is one of another version."""
    return {name: [Hop(**hop) for hop in facts[name]] for name in (OPENING, REQUEST, ANSWER, ASIDE)}


def translated(hops: Sequence[Hop]) -> tuple[str, str] | None:
    """The destination before and after, where it was changed on the way; else the source's; None where neither was."""
    if not hops:
        return None
    first, last = hops[0], hops[-1]
    if first.destination != last.destination:
        return first.destination, last.destination
    return None if first.source == last.source else (first.source, last.source)


def in_words(hops: Sequence[Hop]) -> str:
    """server-1: eth0 → br0 → vnet0 → vm-1: eth0."""
    words, place = [], ""
    for hop in hops:
        words.append(hop.interface if hop.place == place else f"{hop.place}: {hop.interface}")
        place = hop.place
    return " → ".join(words)
