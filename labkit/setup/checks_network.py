"""Checks of doctor about the machine's networks: is each lab's own free, and does the laptop reach it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from contextlib import suppress

from infra import facts, plan
from infra import settings as lab_settings
from labkit.setup.checks import Check
from labkit.setup.docker import engine
from labkit.system import root, shell, stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT_ID

_PLENTY = 2**20
_IP_S = 10
_KEYS = ("topology", "subnet", "nat_subnet", "mgmt_subnet", "paths")


def subnets() -> Check:
    """Each lab's subnet, by the same rules as `pulumi up` has; for a lab that is up, whether it is reached."""
    told: list[tuple[str, str]] = []
    good: list[str] = []
    host = _engine_host()
    for lab in stack_files.names():
        try:
            given = {key: value for key, value in stack_files.values(lab).items() if key in _KEYS}
        except LabError:
            continue  # told by the check of the stack files
        bridges = {plan.bridge_name(CHECKOUT_ID, lab, network): network for network in plan.NETWORKS}
        in_use, own = facts.subnets(host, bridges)
        finding, hint = judge(lab, given, in_use, own, _interface_to(own.get(plan.LAN, "")))
        if hint:
            told.append((finding, hint))
        else:
            good.append(finding)
    if told:
        return Check("subnets", False, "; ".join(text for text, _ in told), told[0][1])
    return Check("subnets", True, "; ".join(good) or "no lab")


def judge(
    lab: str, given: Mapping[str, str], in_use: Mapping[str, str], own_subnets: Mapping[str, str], reached_by: str
) -> tuple[str, str]:
    """Pure: what is found of a lab's subnets and, where that is bad, the next step.

    `given` are the keys of its configuration that speak of them, `reached_by` is the interface to which this machine
    sends what is for the network that the lab has now.
    """
    known = lab_settings.Facts("tcg", "", _PLENTY, 1, in_use, own_subnets)
    own = own_subnets.get(plan.LAN, "")
    try:
        subnet = lab_settings.parse(lab, given, known, CHECKOUT_ID).subnet
    except lab_settings.SettingsError as error:
        problem, _, hint = error.problems[0].rpartition(": pulumi ")
        return problem, f"pulumi {hint}"
    bridge = plan.bridge_name(CHECKOUT_ID, lab)
    if own and str(subnet) == own and reached_by not in {"", bridge}:
        there = f"{own} of {lab}, which is up: this machine sends what is for it to the interface {reached_by}"
        return there, f"end what made that route, such as a VPN; or ./lab down {lab}, then ./lab up {lab}"
    return f"{lab}: {subnet}", ""


def _interface_to(network: str) -> str:
    """The interface that the kernel would take to a lab's server; "" where that cannot be known."""
    program = root.which("ip")
    if not network or program is None:
        return ""
    server = plan.Plan(CHECKOUT_ID, "", ipaddress.IPv4Network(network)).server_address()
    asked = shell.run([program, "-json", "route", "get", str(server)], timeout_s=_IP_S, check=False, stdout_only=True)
    with suppress(ValueError, LookupError, TypeError):
        return str(json.loads(asked.output)[0]["dev"])
    return ""


def _engine_host() -> str:
    with suppress(LabError):
        found = engine.connect()
        if found is not None:
            return found.host
    return "unix:///nowhere"
