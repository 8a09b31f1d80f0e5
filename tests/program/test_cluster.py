"""What the program declares where each side's servers are a cluster (Pulumi mocks)."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from infra import outputs
from infra.machine import Machine, NotSetUpError
from infra.plan import default_subnet
from tests.program.mocks import Build, Declared

CONTAINER = "docker:index/container:Container"
MGMT = default_subnet("1a2b3c4d", "deployment", "mgmt")


@pytest.fixture
def lab(build: Build) -> Declared:
    """A lab of both sides."""
    return build(topology="cluster")


def test_each_side_has_three_servers_and_what_serves_them_is_none(lab: Declared) -> None:
    """Edge, registry and power service stand on the laptop's engine, with roles of their own."""
    servers = [f"server-{number}" for number in range(1, 7)]
    assert lab.of_type(CONTAINER) == ["edge", "power", "registry", *servers]
    roles = {
        name: next(one["value"] for one in lab.resources[name].inputs["labels"] if one["label"].endswith(".role"))
        for name in lab.of_type(CONTAINER)
    }
    assert roles == {"edge": "edge", "power": "power", "registry": "registry", **dict.fromkeys(servers, "server")}
    contract = outputs.from_outputs(lab.outputs)
    assert [(server.name, server.side) for server in contract.servers] == [
        *((name, "vm") for name in servers[:3]),
        *((name, "container") for name in servers[3:]),
    ]


def test_pulumi_owns_no_domain(lab: Declared) -> None:
    """Its provider starts any that it updates: a second copy. The cluster gets the definition, an element a line."""
    assert lab.of_type("libvirt:index/domain:Domain") == []
    definitions = lab.resources["vm-cluster-playbook"].inputs["variables"]["pacemaker_vms"]
    root = ElementTree.fromstring(definitions["vm-1"])  # noqa: S314 - ours
    assert root.findtext("memory") == "512"
    assert root.findtext("os/kernel") == "vm-kernel-id"
    assert [one.get("file") for one in root.iter("source") if one.get("file")] == ["vm-1-disk-id"]
    assert all(line.count("<") <= 2 for line in definitions["vm-1"].splitlines())


def test_a_sides_servers_share_storage_and_no_other_server_has_it(lab: Declared) -> None:
    """One volume a side, at the same place in each; VMs' disks are there."""
    mounted = {
        name: [one["volumeName"] for one in args.inputs["volumes"] if one.get("containerPath") == "/srv/shared"]
        for name, args in lab.resources.items()
        if name.startswith("server-") and args.typ == CONTAINER
    }
    vm, container = (f"vvc-1a2b3c4d-deployment-{side}-storage" for side in ("vm", "container"))
    assert mounted == {f"server-{n}": [vm] if n <= 3 else [container] for n in range(1, 7)}
    assert lab.resources["vm-pool"].inputs["target"] == {"path": "/srv/shared/lab"}


def test_replicas_answer_at_one_address_whatever_server_runs_them(lab: Declared) -> None:
    """The edge's, a port a side; behind it is every place where the replica may be."""
    contract = outputs.from_outputs(lab.outputs)
    assert [(one.name, one.url, one.address) for one in contract.replicas] == [
        ("vm-1", "http://10.200.7.12:8001", "10.200.7.16"),
        ("container-1", "http://10.200.7.12:8002", ""),
    ]
    assert [(one.side, one.url) for one in contract.edges] == [(one.side, one.url) for one in contract.replicas]
    (file,) = lab.resources["edge"].inputs["uploads"]
    places = [line.split()[2] for line in file["content"].splitlines() if line.startswith("  server ")]
    assert places == ["10.200.7.16:8000", "10.200.7.5:8001", "10.200.7.6:8001", "10.200.7.7:8001"]


def test_only_servers_and_their_registry_are_on_the_network_of_their_own(lab: Declared) -> None:
    """It leads nowhere else. Clients and replicas are on the LAN."""
    assert lab.resources["mgmt"].inputs["internal"] is True
    on = {
        name: [one["ipv4Address"] for one in lab.resources[name].inputs.get("networksAdvanced", [])]
        for name in lab.of_type(CONTAINER)
    }
    assert on["edge"] == ["10.200.7.12"]
    assert on["registry"] == [str(MGMT[13])]
    assert on["power"] == []
    assert on["server-2"] == ["10.200.7.3", str(MGMT[3])]
    assert f"VVC_MGMT={MGMT[3]}" in lab.resources["server-2"].inputs["envs"]


def test_the_power_service_alone_has_the_engines_socket(lab: Declared) -> None:
    """It is told by their labels which servers it may switch; they have its socket."""
    sockets = {
        name: [one["hostPath"] for one in lab.resources[name].inputs.get("volumes", []) if "hostPath" in one]
        for name in lab.of_type(CONTAINER)
    }
    assert [name for name, paths in sockets.items() if "/engine.sock" in paths] == ["power"]
    assert all("/run/vvc-1a2b3c4d/deployment-power" in sockets[f"server-{number}"] for number in range(1, 7))
    (labels,) = [one for one in lab.resources["power"].inputs["envs"] if one.startswith("VVC_LABELS=")]
    assert "vm-vs-container.checkout=1a2b3c4d" in labels
    assert "vm-vs-container.role=server" in labels


def test_the_image_comes_from_the_labs_registry(lab: Declared) -> None:
    """Built by one server, pushed and pulled by the playbook, named by the service as the registry has it."""
    service = lab.resources["container-1"].inputs["taskSpec"]["containerSpec"]
    image = lab.resources["container-image"].inputs["name"]
    assert image.startswith(f"{MGMT[13]}:5000/vm-vs-container/service:1-")
    assert lab.resources["container-cluster-playbook"].inputs["variables"]["swarm_images"] == [image]
    assert lab.resources["container-image-pinned"].inputs["image"] == image
    assert service["image"] == f"{image}@sha256:0"
    assert f"VVC_REGISTRY={MGMT[13]}:5000" in lab.resources["server-4"].inputs["envs"]


def test_both_sides_get_the_same_cpus_and_memory(build: Build) -> None:
    """As without clusters."""
    made = build(topology="cluster", vcpus="2", memory_mib="640").resources
    root = ElementTree.fromstring(made["vm-cluster-playbook"].inputs["variables"]["pacemaker_vms"]["vm-1"])  # noqa: S314
    limits = made["container-1"].inputs["taskSpec"]["resources"]["limits"]
    assert (root.findtext("vcpu"), root.findtext("memory")) == ("2", "640")
    assert limits == {"nanoCpus": 2 * 10**9, "memoryBytes": 640 * 2**20}


@pytest.mark.parametrize(("side", "first"), [("vm", "server-1"), ("container", "server-4")])
def test_a_side_alone_has_the_servers_that_it_has_beside_the_other(build: Build, side: str, first: str) -> None:
    """Names and addresses are its own, and nothing of the other side is declared."""
    both, alone = build(topology="cluster"), build(topology="cluster", sides=side)
    servers = [name for name in alone.of_type(CONTAINER) if name.startswith("server-")]
    assert (servers[0], len(servers)) == (first, 3)
    assert {name: alone.resources[name].inputs for name in servers} == {
        name: both.resources[name].inputs for name in servers
    }
    (replica,) = outputs.from_outputs(alone.outputs).replicas
    assert replica.url == next(one.url for one in outputs.from_outputs(both.outputs).side(side))


def test_a_provider_is_a_process_and_there_are_two(lab: Declared) -> None:
    """Where Pulumi makes something: libvirt's on the first server of one side, the engine's on the other's first."""
    assert sorted(name for name, one in lab.resources.items() if one.typ.startswith("pulumi:providers")) == [
        "engine",
        "server-1-libvirt",
        "server-4-docker",
    ]


def test_a_cluster_is_formed_anew_when_a_servers_container_is_another(lab: Declared) -> None:
    """Of each of its servers, and Ansible goes there through the engine that carries them."""
    playbook = lab.resources["vm-cluster-playbook"].inputs
    assert playbook["triggers"] == ["server-1-id", "server-2-id", "server-3-id"]
    assert playbook["servers"]["server-2"] == {
        "ansible_connection": "docker",
        "ansible_host": "vvc-1a2b3c4d-deployment-server-2",
        "ansible_user": "root",
        "vvc_mgmt": str(MGMT[3]),
    }
    assert playbook["host"] == "unix:///engine.sock"


def test_without_the_clusters_image_nothing_begins(build: Build, machine: Machine) -> None:
    """A lab that needs it says how it is made."""
    with pytest.raises(NotSetUpError, match=r"Run: \./lab up deployment"):
        build(topology="cluster", machine=dataclasses.replace(machine, cluster_image=""))
