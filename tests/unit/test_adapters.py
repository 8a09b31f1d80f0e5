"""Both ends of an adapter, and what one more of them takes: pure functions of what a real lab printed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from labkit.runs.records import Repeat, Results, Run
from labkit.system.errors import LabError
from labs.networking import adapters_claims, ends, server_memory, watching
from labs.networking.arms import BRIDGED, PUBLISHED
from labs.networking.server_memory import Reading

BOOT, GUESTS_BOOT = "74ff70d8-15de-4c1d-8c95-5f6c8ef6b573", "099632f7-a617-4baf-8d84-789cc558c995"
SERVER = f"""server net:[4026532649] {BOOT}
interface br0 3 02:42:0a:cc:3f:02 1 1{" "}
driver bridge
interface eth0 2 52:76:63:4c:01:00 1 1 br0
driver veth
interface veth8ab9353 11 2e:3a:a8:a1:de:50 1 1 br-8177f2525091
driver veth
offload rx-checksumming on
offload tcp-segmentation-offload on
offload generic-receive-offload off
interface vnet0 5 fe:76:63:4c:02:00 1 1 br0
driver tun
offload tx-checksumming on
offload generic-receive-offload on
"""
"""From a server with both; its other interfaces and offloads left out."""

VM_OWN = "adapter 52:76:63:4c:02:00 vnet0\nholds vnet0 365 qemu-system-x86\n"
DEVICE = {"driver": "virtio_net", "pci": "0000:00:03.0", "pci_id": "1af4:1000", "pci_driver": "virtio-pci"}


def _inside(boot: str, namespace: str, **interface: Any) -> str:
    base = {"name": "eth0", "rx_queues": 1, "tx_queues": 1, "offloads": {}, "device": None}
    return json.dumps({"boot_id": boot, "namespace": namespace, "interfaces": [{**base, **interface}]})


VM_INSIDE = _inside(
    GUESTS_BOOT, "net:[4026531840]", mac="52:76:63:4c:02:00", index=2, peer=2, driver="virtio_net", device=DEVICE
)
CONTAINER_INSIDE = _inside(BOOT, "net:[4026532728]", mac="02:42:ac:12:00:02", index=10, peer=11, driver="veth")
VM, CONTAINER = ends.both(VM_INSIDE, SERVER, VM_OWN), ends.both(CONTAINER_INSIDE, SERVER, "")


def test_a_vms_other_end_is_the_tap_that_its_qemu_holds() -> None:
    """libvirt knows which tap has which MAC; the tap's name is in what the process has open."""
    (one,) = VM["adapters"]
    assert (one["server"]["name"], one["server"]["driver"], one["server"]["bridge"]) == ("vnet0", "tun", "br0")
    assert one["holder"] == {"pid": 365, "name": "qemu-system-x86", "queues": 1}
    assert one["server"]["offloads"] == {"tx-checksumming": True, "generic-receive": True}


def test_a_tap_with_several_queues_is_held_as_often() -> None:
    """Each queue of a tap is one open file."""
    both = ends.both(VM_INSIDE, SERVER, VM_OWN + "holds vnet0 365 qemu-system-x86\n")
    assert both["adapters"][0]["holder"]["queues"] == 2


def test_a_containers_other_end_is_its_peer_by_number() -> None:
    """The interface names its peer's number, which is the server's."""
    (one,) = CONTAINER["adapters"]
    assert (one["server"]["name"], one["server"]["bridge"], one["holder"]) == (
        "veth8ab9353",
        "br-8177f2525091",
        None,
    )


def test_a_macvlans_other_end_is_the_interface_it_lies_on() -> None:
    """Its number is named in the same place."""
    inside = _inside(BOOT, "net:[4026532729]", mac="02:42:ac:12:00:09", index=12, peer=3, driver="macvlan")
    (one,) = ends.both(inside, SERVER, "")["adapters"]
    assert (one["inside"]["driver"], one["server"]["name"]) == ("macvlan", "br0")


def test_in_its_servers_network_a_replica_has_no_adapter() -> None:
    """All that it sees is its server's."""
    inside = _inside(BOOT, "net:[4026532649]", mac="02:42:0a:cc:3f:02", index=3, peer=3, driver="bridge")
    both = ends.both(inside, SERVER, "")
    assert (both["adapters"], both["shares_its_servers_network"]) == ([], True)


def test_namespaces_of_the_same_number_in_two_kernels_are_two() -> None:
    """A guest's first one has the number that its server's may have, too."""
    inside = _inside(GUESTS_BOOT, "net:[4026532649]", mac="52:76:63:4c:02:00", index=2, peer=2, driver="virtio_net")
    assert not ends.both(inside, SERVER, VM_OWN)["shares_its_servers_network"]


def _run(vm: Any, container: Any) -> Run:
    repeats = tuple(
        Repeat("adapters", arm.side, 1, 0.0, {}, action, facts=facts, factors=dict(arm.factors))
        for arm, looked in ((BRIDGED, vm), (PUBLISHED, container))
        for action, facts in (("look", looked), ("plug", {"seen_inside": ["eth1"]}))
    )
    found = Results("adapters", "?", "complete", 1.0, repeats)
    return Run("r", "networking", "", "", "", {}, {}, (found,))


def _seen(vm: Any, container: Any) -> list[bool]:
    run = _run(vm, container)
    observed = [one for one in adapters_claims.CLAIMS if hasattr(one, "observe")]
    return [bool((found := one.observe(run)) and found.true) for one in observed]


def test_what_was_seen_makes_the_claims_true() -> None:
    """A device with a driver in a kernel of its own; one end of a pair and no device; whatever was plugged in after."""
    assert _seen(VM, CONTAINER) == [True, True]


def test_a_vm_without_a_device_and_a_container_with_one_refute_them() -> None:
    """Each claim can fail."""
    bare = _inside(GUESTS_BOOT, "net:[1]", mac="52:76:63:4c:02:00", index=2, peer=2, driver="")
    passed_through = _inside(
        BOOT, "net:[4026532728]", mac="02:42:ac:12:00:02", index=10, peer=11, driver="x", device=DEVICE
    )
    assert _seen(ends.both(bare, SERVER, VM_OWN), ends.both(passed_through, SERVER, "")) == [False, False]


@pytest.mark.parametrize(
    ("values", "slope"), [([0, 1, 2, 3, 14], 1.0), ([5, 5, 5], 0.0), ([0.0, 0.5, 1.0], 0.5)], ids=str
)
def test_growth_is_the_median_slope(values: list[float], slope: float) -> None:
    """One jump of something else does not count."""
    assert server_memory.slope(values) == slope


MEMINFO = "SUnreclaim: 1024 kB\nPercpu: 2048 kB\nKernelStack: 512 kB\nPageTables: 512 kB\nHugePages_Total: 0\n"


@pytest.mark.parametrize(
    ("account", "mib"),
    [
        ("account kernel 26843545\naccount kernel 26214400\n", 25.0),
        ("account slab 1048576\naccount percpu 524288\naccount pagetables 524288\naccount anon 9\n", 2.0),
        ("", 4.0),
    ],
    ids=["the least of two answers", "an older kernel's parts", "none: the machine's"],
)
def test_the_kernels_memory_is_its_servers_account(account: str, mib: float) -> None:
    """Whichever way the kernel keeps it."""
    threads, memory = server_memory.told(f"threads 3\n{account}{MEMINFO}threads 1\n")
    assert threads == [3, 1]
    assert memory["kernel_memory_mib"] == mib


def test_what_each_adapter_takes_is_its_processes_and_its_kernels_growth() -> None:
    """QEMU's translation cache and shared daemons are told, and not counted in."""
    readings = [
        Reading(
            {"working_memory_mib": 300 + n, "translation_cache_mib": 180.0, "kernel_memory_mib": 25 + n / 16},
            processes=1,
            threads=5,
        )
        for n in range(9)
    ]
    each = server_memory.each(readings)
    assert (each["adapter_memory_mib"], each["adapter_working_memory_mib"]) == (1.0625, 1.0)
    assert (each["adapter_processes"], each["adapter_threads"], each["translation_cache_mib"]) == (0, 0, 180.0)


def test_a_program_is_followed_until_its_input_ends() -> None:
    """What it says comes line by line; it ends with the block."""
    says = "import sys; print('watching', flush=True); sys.stdin.read(); sys.exit(0)"
    with watching.lines([sys.executable, "-c", says]) as following:
        assert following(30.0) == "watching"
        with pytest.raises(LabError, match="Nothing came"):
            following(0.01)
