"""Which private networks are in use on this machine, and one that is free. Pure: no I/O."""

from __future__ import annotations

import bisect
import ipaddress
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from infra import plan

PRIVATE = tuple(ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
LAN_BITS = 24
_WIDEST_BITS = 8
"""A route that is wider names no private network: it is a way to everywhere, as the default one, or a half or a quarter
of it, as VPNs set them that take all traffic."""

_NO_USE = {"broadcast", "multicast", "anycast", "throw"}
"""Types of routes (ip-route(8)) that belong to a network told by another one, or that lead nowhere else."""


def from_routes(answer: str, *, without: Collection[str]) -> dict[str, str]:
    """Networks that `ip -json -4 route show table all` tells, with who uses them, but for some interfaces' own.

    All tables count: a VPN may have one of its own that is asked before the main one.
    """
    found: dict[str, str] = {}
    for route in json.loads(answer or "[]"):
        network = _network(str(route.get("dst", "")))
        interface = str(route.get("dev", ""))
        if network is None or route.get("type") in _NO_USE or interface in without:
            continue
        table = route.get("table", "main")
        user = f"interface {interface}" if interface else f"a route of type {route.get('type', 'unknown')}"
        foreign = table not in {"main", "local"}
        found.setdefault(str(network), f"{user} (routing table {table})" if foreign else user)
    return found


def from_addresses(answer: str, *, without: Collection[str]) -> dict[str, str]:
    """Networks of the addresses that `ip -json -4 address show` tells; interfaces that are down have no routes."""
    found: dict[str, str] = {}
    for interface in json.loads(answer or "[]"):
        name = str(interface.get("ifname", ""))
        for address in interface.get("addr_info", []) if name and name not in without else []:
            network = _network(f"{address.get('local', '')}/{address.get('prefixlen', 32)}")
            if network is not None:
                found.setdefault(str(network), f"interface {name}")
    return found


def from_engine(
    networks: Iterable[Mapping[str, Any]], own_bridges: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Networks of an engine, as it lists them, with who uses them; and those of the lab, by the names of its bridges.

    `own_bridges` are bridges with what each is called.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for one in networks:
        bridge = str((one.get("Options") or {}).get("com.docker.network.bridge.name"))
        for part in (one.get("IPAM") or {}).get("Config") or []:
            network = _network(str(part.get("Subnet", "")))
            if network is None:
                continue
            if bridge in own_bridges:
                own[own_bridges[bridge]] = str(network)
            else:
                found.setdefault(str(network), f"Docker network {one.get('Name', '')}")
    return found, own


def overlaps(network: ipaddress.IPv4Network, in_use: Mapping[str, str]) -> list[tuple[str, str]]:
    """Those of the networks in use that share addresses with this one, with who uses each."""
    return [(other, user) for other, user in in_use.items() if network.overlaps(ipaddress.IPv4Network(other))]


def free(first: ipaddress.IPv4Network, in_use: Mapping[str, str]) -> ipaddress.IPv4Network | None:
    """The first private network of 24 bits that nobody uses, looked for from `first` on; None if none is free."""
    taken = _ranges(in_use)
    starts = [start for start, _ in taken]
    for number in _candidates(first):
        before = bisect.bisect_right(starts, number) - 1
        if before < 0 or taken[before][1] < number:
            return ipaddress.IPv4Network((number << (32 - LAN_BITS), LAN_BITS))
    return None


def why_none_is_free(in_use: Mapping[str, str]) -> str:
    """The networks that take most of the private ones, in words."""
    networks = sorted((ipaddress.IPv4Network(text) for text in in_use), key=lambda one: (one.prefixlen, one))
    private = [one for one in networks if any(one.overlaps(block) for block in PRIVATE)]
    told = [f"{one} ({in_use[str(one)]})" for one in private[:3]]
    more = f" and {len(private) - len(told)} more" if len(private) > len(told) else ""
    return f"no private IPv4 network of {LAN_BITS} bits is free: {', '.join(told)}{more} are in use"


def choose(
    checkout: str, lab: str, in_use: Mapping[str, str], network: plan.Network = plan.LAN
) -> ipaddress.IPv4Network | None:
    """The network that `auto` gives a lab that has none yet, and that hints name."""
    return free(plan.default_subnet(checkout, lab, network), in_use)


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:  # "default", or IPv6
        return None
    return network if network.prefixlen >= _WIDEST_BITS else None


def _candidates(first: ipaddress.IPv4Network) -> Iterator[int]:
    """Numbers of the private /24s: the block of `first` from there on and around, then the other blocks."""
    shift = 32 - LAN_BITS
    start = int(first.network_address) >> shift
    for block in sorted(PRIVATE, key=lambda block: not first.subnet_of(block)):
        base, count = int(block.network_address) >> shift, block.num_addresses >> shift
        offset = start - base if first.subnet_of(block) else start % count
        yield from (base + (offset + step) % count for step in range(count))


def _ranges(in_use: Iterable[str]) -> list[tuple[int, int]]:
    """First and last /24 of each network in use, sorted, those that meet made one."""
    shift = 32 - LAN_BITS
    found: list[tuple[int, int]] = []
    networks = (ipaddress.IPv4Network(text) for text in in_use)
    for low, high in sorted((int(one[0]) >> shift, int(one[-1]) >> shift) for one in networks):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found
