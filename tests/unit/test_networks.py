"""Which networks are in use, which one a lab gets, and that a lab that is up keeps its own."""

from __future__ import annotations

import json
from ipaddress import IPv4Network as Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import networks, plan
from infra.settings import Facts, SettingsError, parse

CHECKOUT, LAB = "1a2b3c4d", "deployment"
DEFAULT = plan.default_subnet(CHECKOUT, LAB)
ALL = {"10.0.0.0/8": "interface tun0", "172.16.0.0/12": "interface tun0", "192.168.0.0/16": "interface tun1"}

ROUTES: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
    {"dst": "0.0.0.0/1", "dev": "tun0"},
    {"dst": "128.0.0.0/1", "dev": "tun0"},
    {"dst": "192.0.0.0/2", "dev": "tun0"},
    {"dst": "172.17.0.0/16", "dev": "docker0", "flags": ["linkdown"]},
    {"dst": "10.0.0.0/8", "dev": "wg0", "table": "51820"},
    {"dst": "default", "dev": "wg0", "table": "51820"},
    {"type": "unreachable", "dst": "10.9.0.0/16", "table": "7"},
    {"type": "local", "dst": "192.168.7.9", "dev": "eth1", "table": "local"},
    {"type": "broadcast", "dst": "192.168.7.255", "dev": "eth1", "table": "local"},
    {"dst": "10.200.7.0/24", "dev": "vvc1"},
]


def subnet(value: str, in_use: dict[str, str], own: str = "") -> Network:
    return parse(
        LAB, {"subnet": value}, Facts("tcg", "", 2**16, 4, in_use, {"lan": own} if own else {}), CHECKOUT
    ).subnet


def refusal(value: str, in_use: dict[str, str], own: str = "") -> str:
    with pytest.raises(SettingsError) as refused:
        subnet(value, in_use, own)
    (problem,) = refused.value.problems
    return problem


def test_routes_of_all_tables_count_and_ways_to_everywhere_do_not() -> None:
    """A VPN's own table is asked before the main one; a VPN that takes all traffic is as the default route."""
    assert networks.from_routes(json.dumps(ROUTES), without={"vvc1"}) == {
        "172.17.0.0/16": "interface docker0",
        "10.0.0.0/8": "interface wg0 (routing table 51820)",
        "10.9.0.0/16": "a route of type unreachable (routing table 7)",
        "192.168.7.9/32": "interface eth1",
    }


def test_an_interface_that_is_down_has_its_network_still() -> None:
    """It has no route until somebody brings it up."""
    told = [
        {"ifname": "wg0", "operstate": "DOWN", "addr_info": [{"local": "10.6.0.2", "prefixlen": 16}]},
        {"ifname": "vvc1", "addr_info": [{"local": "10.200.7.1", "prefixlen": 24}]},
    ]
    assert networks.from_addresses(json.dumps(told), without={"vvc1"}) == {"10.6.0.0/16": "interface wg0"}


def test_the_engines_networks_count_and_the_labs_own_is_told_apart() -> None:
    """By its bridge; networks without a driver of their own and IPv6 ones do not count."""
    told: list[dict[str, Any]] = [
        {"Name": "host", "IPAM": {"Config": None}, "Options": {}},
        {"Name": "six", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}, "Options": None},
        {"Name": "far", "IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}, {"Subnet": "10.2.0.0/16"}]}},
        {
            "Name": "vvc-x-lan",
            "IPAM": {"Config": [{"Subnet": "10.200.7.0/24"}]},
            "Options": {"com.docker.network.bridge.name": "vvc1"},
        },
    ]
    assert networks.from_engine(told, {"vvc1": "lan"}) == (
        {"10.1.0.0/16": "Docker network far", "10.2.0.0/16": "Docker network far"},
        {"lan": "10.200.7.0/24"},
    )


@pytest.mark.parametrize(
    ("in_use", "block"),
    [
        ({}, str(DEFAULT)),
        ({"10.0.0.0/9": "a"}, str(DEFAULT)),
        ({str(DEFAULT): "a"}, "10.0.0.0/8"),
        ({"10.128.0.0/9": "a"}, "10.0.0.0/9"),
        ({"10.0.0.0/8": "a"}, "172.16.0.0/12"),
        ({"10.0.0.0/9": "a", "10.128.0.0/9": "a", "172.16.0.0/12": "b"}, "192.168.0.0/16"),
    ],
    ids=str,
)
def test_auto_goes_on_to_a_network_that_is_free(in_use: dict[str, str], block: str) -> None:
    """The same one each time, and it overlaps nothing."""
    found = subnet("auto", in_use)
    assert found.subnet_of(Network(block))
    assert found.prefixlen == 24
    assert not networks.overlaps(found, in_use)
    assert subnet("auto", in_use) == found


def test_the_last_free_network_is_found() -> None:
    """Though all else is taken, in small pieces as well."""
    last = Network("192.168.77.0/24")
    in_use = {"10.0.0.0/8": "a", "172.16.0.0/12": "b"}
    in_use |= {str(one): "c" for one in Network("192.168.0.0/16").subnets(new_prefix=24) if one != last}
    assert subnet("auto", in_use) == last


@pytest.mark.parametrize("value", ["auto", "10.200.7.0/24", "8.8.8.0/24"])
def test_where_all_is_taken_it_says_by_whom(value: str) -> None:
    """And names no network as free."""
    assert refusal(value, ALL) == (
        f"subnet is {value!r}: no private IPv4 network of 24 bits is free: 10.0.0.0/8 (interface tun0), "
        "172.16.0.0/12 (interface tun0), 192.168.0.0/16 (interface tun1) are in use. End what takes so much, such as a "
        "VPN, or let it take less; then: pulumi config set subnet auto -s deployment"
    )


@pytest.mark.parametrize("value", ["10.200.7.0/24", "8.8.8.0/24", "lan"])
def test_a_hint_names_a_network_that_is_accepted(value: str) -> None:
    """Today's circle: the network of the hint was refused in its turn."""
    in_use = {"10.0.0.0/8": "interface tun0"}
    problem = refusal(value, in_use)
    named = problem.rpartition("pulumi config set subnet ")[2].split()[0]
    assert str(subnet(named, in_use)) == named


@pytest.mark.parametrize("in_use", [{}, {"10.0.0.0/8": "interface tun0"}, ALL], ids=len)
@pytest.mark.parametrize("own", [str(DEFAULT), "172.20.3.0/24"])
def test_a_lab_that_is_up_keeps_its_network(own: str, in_use: dict[str, str]) -> None:
    """A VPN that starts afterwards replaces nothing; nor does one that ends, where `auto` had gone elsewhere."""
    assert str(subnet("auto", in_use, own)) == own
    assert str(subnet(own, in_use, own)) == own


def test_a_network_that_is_configured_anew_takes_effect() -> None:
    """And is held against what is in use."""
    assert str(subnet("10.200.7.0/24", {}, str(DEFAULT))) == "10.200.7.0/24"
    assert "overlaps 10.200.0.0/16" in refusal("10.200.7.0/24", {"10.200.0.0/16": "interface tun0"}, str(DEFAULT))


NETWORKS = st.builds(
    lambda bits, address: str(Network((address >> (32 - bits) << (32 - bits), bits))),
    st.integers(9, 32),
    st.one_of(*(st.integers(int(one[0]), int(one[-1])) for one in networks.PRIVATE)),
)


@given(st.dictionaries(NETWORKS, st.just("somebody"), max_size=8))
def test_whatever_is_in_use_what_is_chosen_is_free(in_use: dict[str, str]) -> None:
    """A private /24 that meets none of them."""
    found = networks.choose(CHECKOUT, LAB, in_use)
    assert found is None or not networks.overlaps(found, in_use)
    assert found is None or any(found.subnet_of(block) for block in networks.PRIVATE)
