"""A lab with a replica of each path: all of them answer, and what was removed by hand of any is brought back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from infra import answers, names, paths
from infra.outputs import Contract
from tests.engines.apart.networking.site import LAB, Site
from tests.engines.real import engine

pytestmark = pytest.mark.engine

ASK_S = 10.0
BACK_S = 240.0
"""Bound of a guest that boots anew on an emulated CPU, beside other work."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_ids(lab: Contract) -> dict[str, str]:
    """Every replica's, as it answers itself."""
    return {one.name: str(answers.whoami(one.url, ASK_S)["boot_id"]) for one in lab.replicas}


def assert_unchanged(site: Site, lab: Contract) -> None:
    """Every replica answers as itself, and Pulumi finds all as the program says, also where it looks."""
    assert {one.name: answers.whoami(one.url, ASK_S)["replica"] for one in lab.replicas} == {
        one.name: one.name for one in lab.replicas
    }
    site.pulumi("preview", "--refresh", "--expect-no-changes")


def test_a_replica_of_each_path_answers_and_lets_one_in(site: Site) -> None:
    """From the laptop; `exec` and `status` find each of them; nothing is to be changed."""
    lab = site.contract()
    assert [one.path for one in lab.replicas] == list(paths.KINDS)
    assert_unchanged(site, lab)
    for one, boot_id in zip(lab.replicas, boot_ids(lab).values(), strict=True):
        assert site.tool("exec", "--lab", LAB, one.name, "cat", BOOT_ID).stdout.strip() == boot_id
    told = site.tool("status", LAB).stdout
    assert all(f"✓ {one.name:<12} {one.path:<9} {one.url}" in told for one in lab.replicas)


def test_each_hangs_where_its_path_says(site: Site) -> None:
    """Interfaces of the server, as its kernel tells them; the guest behind NAT has the address of its own network."""
    vm, nat, published, address, host = site.contract().replicas
    taps = site.in_server(f"virsh -q domiflist {vm.handle}; virsh -q domiflist {nat.handle}")
    assert [line.split()[1:3] for line in taps.splitlines() if line] == [["bridge", "br0"], ["network", "nat"]]
    form = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    networks = site.in_server(f"docker inspect -f '{form}' {published.handle} {address.handle} {host.handle}")
    assert networks.split() == [names.NETWORK, names.LAN_NETWORK, "host"]
    assert f"inet {urlsplit(address.url).hostname}/" in site.in_server(
        f"nsenter -t $(docker inspect -f '{{{{.State.Pid}}}}' {address.handle}) -n ip -4 address"
    )


def no_rules(site: Site) -> None:
    """What leads to the guest behind NAT, flushed; and its network stopped, so that its tap hangs nowhere."""
    site.in_server(
        "for chain in 'nat PREROUTING' 'filter FORWARD'; do set -- $chain; iptables -t $1 -S $2 | "
        "sed -n 's/^-A \\(.*ports-of-.*\\)/\\1/p' | while read -r rule; do iptables -t $1 -D $rule; done; done; "
        f"virsh net-destroy {names.NAT_NETWORK}"
    )


def no_networks(site: Site) -> None:
    """libvirt's network under a running guest, and the engine's under a running container."""
    site.in_server(
        f"virsh net-destroy {names.NAT_NETWORK}; virsh net-undefine {names.NAT_NETWORK}; "
        f"docker network disconnect -f {names.LAN_NETWORK} container-2; docker network rm {names.LAN_NETWORK}"
    )


def new_server(site: Site) -> None:
    """The server's container alone; its volumes stay."""
    engine("rm", "-f", site.server)


@pytest.mark.parametrize(
    ("removal", "stay"),
    [
        (no_rules, {"vm-1", "vm-2"}),
        (no_networks, {"vm-1"}),
        pytest.param(new_server, set(), marks=pytest.mark.long),
    ],
)
def test_up_brings_each_path_back(site: Site, removal: Callable[[Site], None], stay: set[str]) -> None:
    """Guests that need not boot anew do not."""
    lab = site.contract()
    before = boot_ids(lab)
    removal(site)
    site.up()
    assert site.contract() == lab
    guests = {one.name for one in lab.side("vm")}
    after = boot_ids(lab)
    assert {name for name in guests if after[name] == before[name]} == stay
    assert_unchanged(site, lab)


@pytest.mark.long
def test_a_server_that_was_restarted_has_all_paths_again(site: Site) -> None:
    """By itself, without an `up`."""
    lab = site.contract()
    engine("restart", "-t", "30", site.server)
    for one in lab.replicas:
        answers.wait_until_ready(one.url, one.name, lab.service_version, BACK_S)
    assert_unchanged(site, lab)


@pytest.mark.long
def test_fewer_paths_and_all_of_them_again(site: Site) -> None:
    """Those that are left out go with their networks; the others stay as they are, and all are there again."""
    lab, stack = site.contract(), site.checkout / f"Pulumi.{LAB}.yaml"
    as_committed, before = stack.read_text(encoding="utf-8"), boot_ids(lab)
    try:
        site.pulumi("config", "set", "paths", paths.DEFAULT)
        site.up()
        few = site.contract()
        assert [one.name for one in few.replicas] == ["vm-1", "container-1"]
        assert not site.in_server("virsh -q net-list --all; docker network ls -q -f driver=macvlan").strip()
        assert_unchanged(site, few)
    finally:
        stack.write_text(as_committed, encoding="utf-8")
        site.up()
    assert site.contract() == lab
    assert boot_ids(lab)["vm-1"] == before["vm-1"]
