"""Reads the values of the keys that name networks: the lab's LAN, and the one behind NAT in its server. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress

from infra import networks, paths, plan
from infra.keys import Asked, WithNextStepError

IN_A_SERVER = {"172.16.0.0/12": "the engine in the lab's own server"}
"""What a server's engine makes its networks of, unless it is told otherwise: the first pools of Docker's defaults."""


def lan(text: str, asked: Asked) -> ipaddress.IPv4Network:
    """The lab's LAN. A lab that is up stays where it is, whoever has come since."""
    return _on_laptop("subnet", plan.LAN, text, asked, asked.facts.subnets_in_use)


def mgmt(text: str, asked: Asked) -> ipaddress.IPv4Network:
    """The network on which servers of clusters speak to one another; it stays as the LAN does."""
    in_use = dict(asked.facts.subnets_in_use)
    with suppress(ValueError):  # that is told by its own key
        in_use[str(lan(asked.config.get("subnet", "auto"), asked))] = f"the LAN of {asked.lab}"
    return _on_laptop("mgmt_subnet", "mgmt", text, asked, in_use)


def _on_laptop(
    key: str, network: plan.Network, text: str, asked: Asked, in_use: Mapping[str, str]
) -> ipaddress.IPv4Network:
    own = _network(asked.facts.own_subnets.get(network, ""))
    if own is not None and text in ("auto", str(own)):
        return own
    return _read(key, text, asked, networks.choose(asked.checkout, asked.lab, in_use, network), in_use)


def nat(text: str, asked: Asked) -> ipaddress.IPv4Network | None:
    """The network of guests that are reached by NAT; None where there are none, and none is named."""
    in_use = dict(asked.facts.subnets_in_use)
    in_use |= {network: user for network, user in IN_A_SERVER.items() if network not in in_use}
    with suppress(ValueError):  # both are told by their own keys
        if text == "auto" and "nat" not in paths.chosen(asked.config.get("paths", paths.DEFAULT)):
            return None
        in_use[str(lan(asked.config.get("subnet", "auto"), asked))] = f"the LAN of {asked.lab}"
    spare = networks.free(plan.default_subnet(asked.checkout, asked.lab, "nat"), in_use)
    return _read("nat_subnet", text, asked, spare, in_use)


def _read(
    key: str, text: str, asked: Asked, spare: ipaddress.IPv4Network | None, in_use: Mapping[str, str]
) -> ipaddress.IPv4Network:
    wanted = spare if text == "auto" else _network(text)
    if wanted is not None and wanted == spare:
        return wanted
    if spare is None:
        raise WithNextStepError(
            f"{networks.why_none_is_free(in_use)}. End what takes so much, such as a VPN, or let it "
            f"take less; then: pulumi config set {key} auto -s {asked.lab}"
        )
    change = f"Change it: pulumi config set {key} {spare} -s {asked.lab}"
    if wanted is None:
        raise WithNextStepError(f"a private IPv4 network of 24 bits such as {spare} is needed. {change}")
    for other, user in networks.overlaps(wanted, in_use):
        raise WithNextStepError(f"{wanted} overlaps {other}, which {user} uses; choose another. {change}")
    return wanted


def _network(text: str) -> ipaddress.IPv4Network | None:
    """The network that a text names, if a lab may have it."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    private = any(network.subnet_of(block) for block in networks.PRIVATE)
    return network if private and network.prefixlen == networks.LAN_BITS else None
