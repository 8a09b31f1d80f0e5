"""What the program declares for which settings (Pulumi mocks)."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from pathlib import Path

import pytest

from infra import outputs, program, server
from infra.ground import Ground
from infra.lab import Blueprint
from infra.machine import Machine
from infra.topologies import single
from tests.program.mocks import Build

CONTAINER = "docker:index/container:Container"
DOMAIN = "libvirt:index/domain:Domain"
LABELLED = {
    "docker:index/container:Container",
    "docker:index/network:Network",
    "docker:index/volume:Volume",
}


def test_both_sides_stand_on_one_server(build: Build) -> None:
    """One server, one domain, one service container by default."""
    lab = build()
    assert lab.of_type(CONTAINER) == ["container-1", "server-1"]
    assert lab.of_type(DOMAIN) == ["vm-1"]


def test_a_second_server_is_added_to_a_lab_that_stays_as_it_is(build: Build) -> None:
    """Its container and its volumes, empty, with a name, an address and a MAC of its own; nothing else differs."""
    one, two = build(), build(servers="2")
    added = set(two.resources) - set(one.resources)
    assert added == {
        "server-2",
        "server-2-docker-data",
        "server-2-libvirt-data",
        "server-2-docker",
        "server-2-libvirt",
    }
    assert {name: two.resources[name].inputs for name in one.resources} == {
        name: args.inputs for name, args in one.resources.items()
    }
    first, second = outputs.from_outputs(two.outputs).servers
    assert (first,) == outputs.from_outputs(one.outputs).servers
    assert (second.name, second.address, second.container) == (
        "server-2",
        "10.200.7.3",
        "vvc-1a2b3c4d-deployment-server-2",
    )
    assert one.outputs["replicas"] == two.outputs["replicas"]
    macs = {name: two.resources[name].inputs["networksAdvanced"][0]["macAddress"] for name in ("server-1", "server-2")}
    assert len(set(macs.values())) == len(macs)
    identities = [line for name in macs for line in two.resources[name].inputs["envs"] if "HOST_UUID" in line]
    assert len(set(identities)) == len(macs)


def test_a_sides_replicas_go_to_its_servers_in_turn(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server has what its replicas need, the first one under the names that a single one has."""
    one = build(servers="2", replicas="3")
    topology = dataclasses.replace(single.TOPOLOGY, build=_on_all)
    monkeypatch.setattr(program, "TOPOLOGIES", {"single": topology})
    both = build(servers="2", replicas="3")
    shared = ("vm-pool", "vm-base", "vm-kernel", "vm-initrd", "container-base", "container-image", "container-network")
    assert set(both.resources) - set(one.resources) == {f"{name}-server-2" for name in shared}
    assert {name: both.resources[name].inputs for name in shared} == {
        name: one.resources[name].inputs for name in shared
    }
    contract = outputs.from_outputs(both.outputs)
    for side in ("vm", "container"):
        assert [replica.server for replica in contract.side(side)] == ["server-1", "server-2", "server-1"]
    assert [replica.url for replica in contract.side("container")] == [
        "http://10.200.7.2:8001",
        "http://10.200.7.3:8002",
        "http://10.200.7.2:8003",
    ]


def _on_all(lab: Blueprint) -> Ground:
    ground = single.TOPOLOGY.build(lab)
    return Ground(ground.servers, dict.fromkeys(ground.carrying, ground.servers))


def test_a_server_is_on_each_network_that_is_planned(build: Build) -> None:
    """The LAN first; a further network has a bridge, addresses and MACs of its own."""
    lab = build(mgmt=ipaddress.IPv4Network("10.201.7.0/24"))
    lan, mgmt = lab.resources["server-1"].inputs["networksAdvanced"]
    assert (lan["ipv4Address"], mgmt["ipv4Address"]) == ("10.200.7.2", "10.201.7.2")
    assert lan["macAddress"] != mgmt["macAddress"]
    assert mgmt["name"] == lab.resources["mgmt"].inputs["name"] == "vvc-1a2b3c4d-deployment-mgmt"
    bridges = [lab.resources[name].inputs["options"] for name in ("lan", "mgmt")]
    assert bridges[0] != bridges[1]


@pytest.mark.parametrize("side", ["vm", "container"])
def test_each_side_comes_up_alone(build: Build, side: str) -> None:
    """Nothing of the other side is declared."""
    lab = build(sides=side)
    other = {"vm": "container", "container": "vm"}[side]
    assert f"{side}-1" in lab.resources
    assert not [name for name in lab.resources if name.startswith(f"{other}-")]
    assert [replica["side"] for replica in lab.outputs["replicas"]] == [side]


def test_replicas_come_in_pairs_with_addresses_of_their_own(build: Build) -> None:
    """As many on each side as configured; no URL twice."""
    contract = outputs.from_outputs(build(replicas="3").outputs)
    assert [replica.name for replica in contract.side("vm")] == ["vm-1", "vm-2", "vm-3"]
    assert [replica.url for replica in contract.side("container")] == [
        "http://10.200.7.2:8001",
        "http://10.200.7.2:8002",
        "http://10.200.7.2:8003",
    ]
    assert [replica.url for replica in contract.side("vm")] == [
        "http://10.200.7.16:8000",
        "http://10.200.7.17:8000",
        "http://10.200.7.18:8000",
    ]


def test_a_lab_of_all_paths_has_a_replica_of_each(build: Build) -> None:
    """Beside what a lab of the first ones has, which stays as it is; each says its path and where it answers."""
    first, every = build(), build(paths="all")
    new = {"vm-nat", "container-lan"} | {
        f"{name}{part}"
        for name, parts in {
            "vm-2": ("", "-disk", "-playbook", "-ready"),
            "container-2": ("", "-data", "-ready"),
            "container-3": ("", "-data", "-ready"),
        }.items()
        for part in parts
    }
    assert set(every.resources) - set(first.resources) == new
    assert {name: every.resources[name].inputs for name in first.resources} == {
        name: args.inputs for name, args in first.resources.items()
    }
    assert [(one.name, one.path, one.url) for one in outputs.from_outputs(every.outputs).replicas] == [
        ("vm-1", "bridged", "http://10.200.7.16:8000"),
        ("vm-2", "nat", "http://10.200.7.2:8102"),
        ("container-1", "published", "http://10.200.7.2:8001"),
        ("container-2", "address", "http://10.200.7.49:8000"),
        ("container-3", "host", "http://10.200.7.2:8003"),
    ]


def test_a_guest_behind_nat_hangs_on_libvirts_network(build: Build) -> None:
    """By its id; its address is of that network, its ports stand in its description, Ansible goes through them."""
    made = build(paths="nat", nat_subnet="10.9.8.0/24").resources
    network, domain, playbook = (made[name].inputs for name in ("vm-nat", "vm-1", "vm-1-playbook"))
    assert (network["mode"], network["addresses"], network["autostart"]) == ("nat", ["10.9.8.0/24"], True)
    (adapter,) = domain["networkInterfaces"]
    assert adapter["networkId"] == "vm-nat-id"
    assert "bridge" not in adapter
    words = domain["cmdlines"][0]
    assert (words["vvc.address"], words["vvc.gateway"]) == ("10.9.8.16/24", "10.9.8.1")
    assert domain["description"] == "port 8101 to 10.9.8.16:8000\nport 8201 to 10.9.8.16:22"
    assert (playbook["host"], playbook["port"]) == ("10.200.7.2", 8201)
    assert playbook["variables"]["service_url"] == "http://10.200.7.2:8101"


def test_a_container_hangs_on_what_its_path_needs(build: Build) -> None:
    """An address of the LAN on a macvlan of the server's bridge, or the server's network and a port of it."""
    made = build(paths="address,host").resources
    assert "container-network" not in made
    lan, address, host = (made[name].inputs for name in ("container-lan", "container-1", "container-2"))
    assert (lan["driver"], lan["options"]) == ("macvlan", {"parent": "br0"})
    assert lan["ipamConfigs"] == [{"subnet": "10.200.7.0/24", "gateway": "10.200.7.1"}]
    (network,) = address["networksAdvanced"]
    assert (network["name"], network["ipv4Address"]) == ("lan", "10.200.7.48")
    assert "ports" not in address
    assert (host["networkMode"], "networksAdvanced" in host, "ports" in host) == ("host", False, False)
    assert "VVC_PORT=8002" in host["envs"]


def test_both_sides_get_the_same_cpus_and_memory(build: Build) -> None:
    """vcpus = cpus; memory_mib = guest RAM = container limit, without swap."""
    lab = build(vcpus="2", memory_mib="640")
    domain, container = lab.resources["vm-1"].inputs, lab.resources["container-1"].inputs
    assert (domain["vcpu"], domain["memory"]) == (2, 640)
    assert (container["cpus"], container["memory"], container["memorySwap"]) == ("2.0", 640, 640)


def test_every_object_of_the_engines_carries_both_labels(build: Build) -> None:
    """So that `down` finds what Pulumi lost, and never another checkout's."""
    lab = build()
    found = {
        name: {(label["label"], label["value"]) for label in args.inputs.get("labels", [])}
        for name, args in lab.resources.items()
        if args.typ in LABELLED
    }
    assert len(found) >= 6
    wanted = {("vm-vs-container.lab", "deployment"), ("vm-vs-container.checkout", "1a2b3c4d")}
    assert found.pop("server-1") == wanted | {("vm-vs-container.role", "server")}
    # A label more would replace a volume of a lab that is up, and lose what is on it.
    assert {name: labels for name, labels in found.items() if labels != wanted} == {}


def test_kvm_reaches_the_server_only_where_it_works(build: Build) -> None:
    """The device, the domain's type and its CPU go together."""
    for accelerator, kind, cpu, devices in (
        ("tcg", "qemu", None, ["/dev/net/tun"]),
        ("kvm", "kvm", {"mode": "host-passthrough"}, ["/dev/net/tun", "/dev/kvm"]),
    ):
        lab = build(accelerator=accelerator)
        assert lab.resources["vm-1"].inputs["type"] == kind
        assert lab.resources["vm-1"].inputs.get("cpu") == cpu
        assert [device["hostPath"] for device in lab.resources["server-1"].inputs["devices"]] == devices


@pytest.mark.parametrize(("version", "dropped"), [("20.10.24+dfsg1", ["CAP_SYS_RESOURCE"]), ("26.1.5+dfsg1", [])])
def test_a_capability_is_dropped_only_where_the_engine_wants_it(
    machine: Machine, version: str, dropped: list[str]
) -> None:
    """Docker 20.10 starts no container with ALL in a sandbox without SYS_RESOURCE; since 23.0 the drop is refused."""
    assert server.dropped_capabilities(dataclasses.replace(machine, engine_version=version)) == dropped


def test_no_private_key_reaches_pulumi(build: Build, machine: Machine) -> None:
    """Only the key's path does."""
    machine.private_key("deployment").write_text("-----BEGIN OPENSSH PRIVATE KEY-----", encoding="utf-8")
    lab = build()
    text = str([args.inputs for args in lab.resources.values()])
    assert str(machine.private_key("deployment")) in text
    assert "PRIVATE KEY" not in text


def test_the_kernels_words_are_in_the_providers_canonical_form(build: Build) -> None:
    """Pairs in one entry, words without a value in an entry of their own; else each refresh is a replacement."""
    pairs, words = build().resources["vm-1"].inputs["cmdlines"]
    assert list(words) == ["_"]
    assert "_" not in pairs
    assert pairs["vvc.address"] == "10.200.7.16/24"


def test_a_changed_source_is_a_change_of_the_lab(build: Build, machine: Machine) -> None:
    """The service's files name the container image and are the playbook's digest."""

    def facts() -> tuple[str, str]:
        lab = build()
        return lab.resources["container-image"].inputs["name"], str(lab.resources["vm-1-playbook"].inputs["digest"])

    before = facts()
    Path(machine.checkout, "service", "file").write_text("two", encoding="utf-8")
    after = facts()
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert facts() == after


def test_a_changed_role_configures_the_guest_anew_and_leaves_the_image(build: Build, machine: Machine) -> None:
    """The playbooks' files are in the playbook's digest alone."""
    before = build().resources
    Path(machine.checkout, "playbooks", "file").write_text("two", encoding="utf-8")
    after = build().resources
    changed = {name for name in before if before[name].inputs != after[name].inputs}
    assert "vm-1-playbook" in changed
    assert not any(name.startswith("container") for name in changed)


@pytest.mark.parametrize(
    ("part", "resource"),
    [("server_image", "server-1"), ("guest_digest", "vm-base"), ("container_digest", "container-base")],
)
def test_each_image_made_anew_is_a_change_of_what_stands_on_it(
    build: Build, machine: Machine, part: str, resource: str
) -> None:
    """None of the three can change unseen."""
    before = build().resources[resource].inputs
    other = Machine(**{**dataclasses.asdict(machine), part: "fedcba987654"})
    assert build(machine=other).resources[resource].inputs != before


def test_a_new_guest_disk_has_a_new_name(build: Build) -> None:
    """Changed content at the same path would be no diff for the provider."""
    lab = build()
    names = [lab.resources[f"vm-{part}"].inputs["name"] for part in ("kernel", "initrd", "base")]
    assert all(re.fullmatch(r"\w+-0123456789ab", name) for name in names)
