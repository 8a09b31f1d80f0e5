"""Names, addresses and MACs: the same answer every time, no two things the same, within the kernel's limits."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import paths, plan

LABS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
CHECKOUTS = st.text("0123456789abcdef", min_size=8, max_size=8)


def make(checkout: str = "1a2b3c4d", lab: str = "deployment") -> plan.Plan:
    beside = {name: plan.default_subnet(checkout, lab, name) for name in plan.NETWORKS if name != plan.LAN}
    return plan.Plan(checkout, lab, plan.default_subnet(checkout, lab), beside)


@given(CHECKOUTS, LABS)
def test_the_default_subnet_is_a_private_24(checkout: str, lab: str) -> None:
    """A /24 of 10.192.0.0/11."""
    subnet = plan.default_subnet(checkout, lab)
    assert subnet.prefixlen == 24
    assert subnet.subnet_of(ipaddress.IPv4Network("10.192.0.0/11"))


@given(CHECKOUTS, LABS)
def test_no_two_things_share_an_address_or_a_mac(checkout: str, lab: str) -> None:
    """In each network gateway, servers and guests are apart, and all lie outside of what the engine gives by itself."""
    one = make(checkout, lab)
    servers, guests = one.servers(range(plan.MAX_SERVERS)), range(plan.MAX_REPLICAS)
    for name in plan.NETWORKS:
        network = one.network(name)
        addresses = [network.gateway, *(server.addresses[name] for server in servers)]
        addresses += [one.edge_address] if name == plan.LAN else [ipaddress.IPv4Address(one.registry.partition(":")[0])]
        addresses += [of(n) for of in (one.vm_address, one.container_address) for n in guests if name == plan.LAN]
        assert len(set(addresses)) == len(addresses)
        assert all(address in network.subnet and address not in network.dynamic_range for address in addresses)
    macs = [*(mac for server in servers for mac in server.macs.values()), *map(one.vm_mac, guests)]
    macs += map(one.container_mac, guests)
    assert len(macs) == len(plan.NETWORKS) * plan.MAX_SERVERS + 2 * plan.MAX_REPLICAS
    assert len(set(macs)) == len(macs)
    assert all(re.fullmatch("52:76:63(:[0-9a-f]{2}){3}", mac) for mac in macs)


def test_no_two_replicas_share_a_port_of_their_server() -> None:
    """Published ones, those that lead to guests behind NAT, and the one above the last container's."""
    replicas = range(plan.MAX_REPLICAS)
    one = make("1a2b3c4d", "deployment")
    ports = [of(n) for of in (one.container_port, plan.nat_port, plan.nat_ssh_port) for n in replicas]
    ports.append(plan.CONTAINER_PORT + plan.MAX_REPLICAS)
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("bridged", "http://10.200.7.17:8000"),
        ("nat", "http://10.200.7.2:8102"),
        ("published", "http://10.200.7.2:8002"),
        ("address", "http://10.200.7.49:8000"),
        ("host", "http://10.200.7.2:8002"),
    ],
)
def test_where_a_replica_answers_follows_from_its_path(path: str, url: str) -> None:
    """The second of its side, on the first server."""
    one = plan.Plan("1a2b3c4d", "networking", ipaddress.IPv4Network("10.200.7.0/24"))
    assert paths.KINDS[path].url(one, 1, "10.200.7.2") == url


def test_a_guest_behind_nat_has_an_address_of_its_servers_network() -> None:
    """With its length; a lab that has no such network has no such address."""
    lan, nat = ipaddress.IPv4Network("10.200.7.0/24"), ipaddress.IPv4Network("10.9.8.0/24")
    assert str(plan.Plan("1a2b3c4d", "networking", lan, nat=nat).nat_address(1)) == "10.9.8.17/24"
    with pytest.raises(ValueError, match="no path"):
        plan.Plan("1a2b3c4d", "networking", lan).nat_address(1)


def test_a_lab_without_another_network_has_the_lan_alone() -> None:
    """Its servers have one address and one MAC each, by their names and numbers."""
    one = plan.Plan("1a2b3c4d", "deployment", ipaddress.IPv4Network("10.200.7.0/24"))
    first, second = one.servers(range(2))
    assert (first.index, first.name, second.index, second.name) == (0, "server-1", 1, "server-2")
    assert {name: str(address) for name, address in second.addresses.items()} == {"lan": "10.200.7.3"}
    assert list(second.macs) == ["lan"]


@given(CHECKOUTS, LABS)
def test_an_interface_name_fits_the_kernel(checkout: str, lab: str) -> None:
    """At most 15 bytes."""
    assert all(len(make(checkout, lab).network(name).bridge) <= 15 for name in plan.NETWORKS)


def test_no_two_networks_of_a_checkouts_labs_share_a_bridge_or_addresses() -> None:
    """Of labs that there are and those to come; addresses that are taken are chosen anew, a bridge's name is not."""
    labs = ("deployment", "networking", "failover", "balancing", "isolation")
    every = [make(lab=lab).network(name) for lab in labs for name in plan.NETWORKS]
    assert len({one.bridge for one in every}) == len(every)
    assert len({one.subnet for one in every}) == len(every)


def test_labels_name_lab_and_checkout() -> None:
    """Both, so that another checkout's lab is never taken for ours."""
    assert make().labels == {"vm-vs-container.lab": "deployment", "vm-vs-container.checkout": "1a2b3c4d"}
