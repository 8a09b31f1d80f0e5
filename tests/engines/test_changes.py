"""Changed settings of a live lab take effect, as asked inside guest and container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import requests

from infra import outputs
from labkit.lifecycle.change import config_file
from tests.engines.real import LAB, ROOT, UP_S, contract, engine, inside, pulumi, tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3 * UP_S)]

Change = Callable[..., outputs.Contract]


@pytest.fixture
def change(lab: outputs.Contract) -> Iterator[Change]:
    """`pulumi up` with some keys changed, by a copy of the stack's file; as it was again at the end."""

    def changer(**config: str | int) -> outputs.Contract:
        with config_file(LAB, config) as copy:
            pulumi("up", "--yes", "--skip-preview", "--config-file", str(copy), timeout_s=UP_S)
        return contract()

    yield changer
    tool("up", LAB, "--yes", timeout_s=UP_S)


def holds(found: outputs.Contract, *, vcpus: int = 1, memory_mib: int = 512, disk_gib: int = 2) -> None:
    """Every replica has these resources and answers with the contract's version."""
    for replica in found.replicas:
        answer = requests.get(f"{replica.url}/whoami", timeout=10).json()
        assert (answer["replica"], answer["version"]) == (replica.name, found.service_version)
    for replica in found.side("vm"):
        assert int(inside(replica.name, "nproc")) == vcpus
        seen_mib = int(inside(replica.name, "grep", "MemTotal", "/proc/meminfo").split()[1]) / 1024
        assert memory_mib * 0.8 < seen_mib <= memory_mib
        assert int(inside(replica.name, "cat", "/sys/block/vda/size")) * 512 == disk_gib * 2**30
    limits = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
    for replica in found.side("container"):
        assert int(inside(replica.name, "sh", "-c", limits)) == memory_mib * 2**20


def test_a_changed_role_reaches_the_guest_that_is_up(lab: outputs.Contract) -> None:
    """The same guest, configured anew; the role is as it was again at the end.

    The next test's `up` configures the guest by it again: it makes all guests anew in any case.
    """
    tasks = ROOT / "playbooks" / "roles" / "service" / "tasks" / "main.yml"
    kept, boot_id = tasks.read_text(encoding="utf-8"), ("cat", "/proc/sys/kernel/random/boot_id")
    before = inside("vm-1", *boot_id)
    task = "\n- name: A change\n  ansible.builtin.copy:\n    content: new\n    dest: /etc/vvc-role\n    mode: '0644'\n"
    try:
        tasks.write_text(kept + task, encoding="utf-8")
        pulumi("up", "--yes", "--skip-preview", timeout_s=UP_S)
        assert inside("vm-1", "cat", "/etc/vvc-role") == "new"
        assert inside("vm-1", *boot_id) == before
    finally:
        tasks.write_text(kept, encoding="utf-8")
        inside("vm-1", "rm", "-f", "/etc/vvc-role", check=False)


def test_several_keys_at_once_and_back(change: Change, lab: outputs.Contract) -> None:
    """CPUs, memory, disk, version, replicas and subnet; then all as it was, on its own network again."""
    found = change(vcpus=2, memory_mib=384, disk_gib=3, service_version="2.1", replicas=2, subnet="10.255.77.0/24")
    assert len(found.replicas) == 4
    assert all("//10.255.77." in replica.url for replica in found.replicas)
    assert found.service_version == "2.1"
    holds(found, vcpus=2, memory_mib=384, disk_gib=3)
    # By itself, with `auto`, a lab that is up keeps the network that it has.
    own = IPv4Network(f"{lab.servers[0].address}/24", strict=False)
    found = change(subnet=str(own))
    assert found.replicas == lab.replicas
    holds(found)


@pytest.mark.long
@pytest.mark.parametrize("key", ["vcpus", "memory_mib", "disk_gib"])
def test_each_resource_alone(change: Change, key: str) -> None:
    """What is not changed stays."""
    value = {"vcpus": 2, "memory_mib": 384, "disk_gib": 3}[key]
    holds(change(**{key: value}), **{key: value})


@pytest.mark.long
@pytest.mark.parametrize("side", ["vm", "container"])
def test_one_side_goes_and_comes_back(change: Change, side: str) -> None:
    """The other side answers throughout."""
    assert {replica.side for replica in change(sides=side).replicas} == {side}
    holds(change())


@contextmanager
def as_if_set_up(**facts: str) -> Iterator[None]:
    """Set-up's note of the machine with other facts; as it was, and the lab with it, at the end."""
    file = ROOT / ".state" / "machine.json"
    kept = file.read_text(encoding="utf-8")
    try:
        file.write_text(json.dumps({**json.loads(kept), **facts}), encoding="utf-8")
        yield
    finally:
        file.write_text(kept, encoding="utf-8")
        tool("up", LAB, "--yes", timeout_s=UP_S)


@pytest.mark.long
def test_a_new_guest_disk_makes_the_vms_anew(lab: outputs.Contract, tmp_path: Path) -> None:
    """Its digest is in the base volume's name; the old one goes, and so does what the VM had written."""
    machine = json.loads((ROOT / ".state" / "machine.json").read_text(encoding="utf-8"))
    guest, digest = tmp_path / "guest", "fedcba987654"
    guest.symlink_to(machine["guest_dir"])
    inside("vm-1", "touch", "/etc/vvc-old")
    with as_if_set_up(guest_dir=str(guest), guest_digest=digest):
        pulumi("up", "--yes", "--skip-preview", timeout_s=UP_S)
        disks = engine("exec", lab.servers[0].container, "virsh", "-q", "vol-list", "lab")
        assert f"base-{digest}" in disks
        assert machine["guest_digest"] not in disks
        assert inside("vm-1", "sh", "-c", "ls /etc | grep -c vvc-old", check=False) == "0"
        holds(contract())


@pytest.mark.long
def test_a_new_server_image_makes_the_server_anew(lab: outputs.Contract) -> None:
    """With all that is in it; the new one's environment is asked inside."""
    old = json.loads((ROOT / ".state" / "machine.json").read_text(encoding="utf-8"))["server_image"]
    made = engine("create", old)
    image = engine("commit", "--change", "ENV VVC_IMAGE=new", made)
    engine("rm", made)
    try:
        with as_if_set_up(server_image=image):
            pulumi("up", "--yes", "--skip-preview", timeout_s=UP_S)
            assert engine("exec", lab.servers[0].container, "printenv", "VVC_IMAGE") == "new"
            holds(contract())
    finally:
        engine("rmi", image, check=False)
