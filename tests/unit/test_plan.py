"""Names, addresses and MACs: the same answer every time, no two things the same, within the kernel's limits."""

from __future__ import annotations

import ipaddress
import re

from hypothesis import given
from hypothesis import strategies as st

from infra import plan

LABS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
CHECKOUTS = st.text("0123456789abcdef", min_size=8, max_size=8)


def make(checkout: str = "1a2b3c4d", lab: str = "deployment") -> plan.Plan:
    return plan.Plan(checkout, lab, plan.default_subnet(checkout, lab))


@given(CHECKOUTS, LABS)
def test_the_default_subnet_is_a_private_24(checkout: str, lab: str) -> None:
    """A /24 of 10.192.0.0/11."""
    subnet = plan.default_subnet(checkout, lab)
    assert subnet.prefixlen == 24
    assert subnet.subnet_of(ipaddress.IPv4Network("10.192.0.0/11"))


@given(CHECKOUTS, LABS)
def test_no_two_things_share_an_address_or_a_mac(checkout: str, lab: str) -> None:
    """Gateway, servers and guests are apart, and all lie outside of what the engine gives by itself."""
    one = make(checkout, lab)
    servers, guests = range(plan.MAX_SERVERS), range(plan.MAX_REPLICAS)
    addresses = [one.gateway, *map(one.server_address, servers), *map(one.vm_address, guests)]
    assert len(set(addresses)) == len(addresses)
    assert all(address in one.subnet and address not in one.dynamic_range for address in addresses)
    macs = [*map(one.server_mac, servers), *map(one.vm_mac, guests)]
    assert len(set(macs)) == len(macs)
    assert all(re.fullmatch("52:76:63(:[0-9a-f]{2}){3}", mac) for mac in macs)


@given(CHECKOUTS, LABS)
def test_an_interface_name_fits_the_kernel(checkout: str, lab: str) -> None:
    """At most 15 bytes."""
    assert len(make(checkout, lab).bridge) <= 15


def test_labels_name_lab_and_checkout() -> None:
    """Both, so that another checkout's lab is never taken for ours."""
    assert make().labels == {"vm-vs-container.lab": "deployment", "vm-vs-container.checkout": "1a2b3c4d"}
