"""What the lab claims of who judges a packet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.judge.model import Claim, Observed
from labkit.judge.observed import seen
from labs.networking.arms import ADDRESS, BRIDGED, HOST, PUBLISHED
from labs.networking.firewall import INSIDE, SERVERS

Facts = Mapping[str, Any]


def _by_server(facts: Facts, calls: Sequence[str]) -> dict[str, int]:
    """Rule of the server -> packets that it dropped, where bridge-nf-call-iptables was one of these."""
    return {
        one["dropped_by"]: one["dropped_packets"]
        for one in facts["trials"]
        if one["drop_in"] in SERVERS and one["dropped_by"] and one["bridge_nf_call_iptables"] in calls
    }


def _told(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{place}: {packets} packets" for place, packets in dropped.items()) or "no rule of the server"


_ON, _OFF = ("1",), ("0", "")


def judged_by_server(container: Facts) -> tuple[bool, Facts]:
    """A DROP in one of the server's chains stopped its packets, however bridged ones are judged."""
    dropped = [_by_server(container, calls) for calls in (_ON, _OFF)]
    tried = [found for found, calls in zip(dropped, (_ON, _OFF), strict=True) if _had(container, calls)]
    evidence = {
        "dropped by": _told({place: packets for found in dropped for place, packets in found.items()}),
        "its own filter is": container["own_filter"],
        "it may change the rules itself": container["may_change_rules"],
    }
    return bool(tried) and all(tried), evidence


def _had(facts: Facts, calls: Sequence[str]) -> bool:
    return any(one["bridge_nf_call_iptables"] in calls for one in facts["trials"])


def not_judged_unless_told(vm: Facts) -> tuple[bool, Facts] | None:
    """No DROP of the server's stopped them; one did when bridge-nf-call-iptables was on."""
    if not _had(vm, _ON):
        return None
    off, on = _by_server(vm, _OFF), _by_server(vm, _ON)
    evidence = {
        "dropped with bridge-nf-call-iptables off by": _told(off),
        "dropped with bridge-nf-call-iptables on by": _told(on),
        "bridge-nf-call-iptables as found": vm["bridge_nf_call_as_found"],
    }
    return not off and bool(on), evidence


def passes_by(container: Facts) -> tuple[bool, Facts]:
    """No DROP of the server's stopped them, whatever bridge-nf-call-iptables was; its own filter's did."""
    dropped = _by_server(container, (*_ON, *_OFF))
    return not dropped and bool(_inside(container)), {"dropped by": _told(dropped), "inside, by": _inside(container)}


def _inside(facts: Facts) -> str:
    found = [one for one in facts["trials"] if one["drop_in"] == INSIDE and one["dropped_by"]]
    return f"{found[0]['dropped_by']}: {found[0]['dropped_packets']} packets" if found else ""


def own_firewall(vm: Facts) -> tuple[bool, Facts]:
    """A DROP in the guest's own kernel stopped them, and the guest may change such rules."""
    evidence = {
        "dropped by": _inside(vm) or "no rule inside",
        "its own filter is": vm["own_filter"],
        "it may change the rules itself": vm["may_change_rules"],
    }
    return bool(_inside(vm)) and vm["may_change_rules"], evidence


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="container-is-judged-by-its-servers-firewall",
        row="Networking",
        text="A container's packets are judged by its server's firewall.",
        experiment="firewall",
        observe=seen("firewall", (PUBLISHED,), judged_by_server),
        because="a published port is translated by the server, which then forwards the packet between two of its own "
        "interfaces: it passes the chain FORWARD, and in it DOCKER-USER.",
    ),
    Observed(
        name="host-container-is-judged-by-its-servers-firewall",
        row="Networking",
        text="A container on its server's network is judged by its server's firewall, as any process there is.",
        experiment="firewall",
        observe=seen("firewall", (HOST,), judged_by_server),
        because="it has no network namespace of its own: a packet for it is one for its server and passes INPUT.",
    ),
    Observed(
        name="container-with-an-address-passes-its-servers-firewall",
        row="Networking",
        text="A container with an address of its own on the LAN is judged by no rule of its server's own namespace.",
        experiment="firewall",
        observe=seen("firewall", (ADDRESS,), passes_by),
        because="a macvlan takes a frame off the server's port before the server's IP sees it; it is judged in the "
        "container's namespace, whose rules its server can set and the container cannot.",
    ),
    Observed(
        name="bridged-vm-is-not-judged-unless-told",
        row="Networking",
        text="A bridged VM's packets are not judged by its server's firewall, unless the server is told to.",
        experiment="firewall",
        observe=seen("firewall", (BRIDGED,), not_judged_unless_told),
        because="the server's bridge hands frames on without its IP; bridge-nf-call-iptables makes it show them to the "
        "chain FORWARD.",
    ),
    Observed(
        name="vm-has-a-firewall-of-its-own",
        row="Networking",
        text="Each VM has a firewall of its own.",
        experiment="firewall",
        observe=seen("firewall", (BRIDGED,), own_firewall),
        because="a guest's kernel has a packet filter, and whoever is root in the guest sets its rules.",
    ),
)
