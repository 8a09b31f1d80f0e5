"""What the article says of a network adapter, put to the test by the experiment *adapters*; and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.judge.model import Claim, Measured, Metric, Observed
from labkit.judge.observed import seen
from labs.networking import adapters, ends
from labs.networking.arms import BRIDGED, PUBLISHED

ROW = "Networking"
_MANY = 2.0


def own_driver(vm: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
    """Each adapter of the VM is a device with a driver in its own kernel; its server holds the other end for QEMU."""
    if not vm["adapters"]:
        return None
    first = vm["adapters"][0]
    device, far, holder = first["inside"]["device"] or {}, first["server"] or {}, first["holder"] or {}
    evidence = {
        "the VM's adapter": _named(first["inside"]),
        "its device": f"{device.get('pci_id') or 'none'} on PCI {device.get('pci') or 'nowhere'}",
        "its driver in the VM": " on ".join(one for one in (device.get("driver"), device.get("pci_driver")) if one)
        or "none",
        "its other end": _named(far) if far else "none",
        "who holds that end": f"{holder['name']}, process {holder['pid']}" if holder else "nobody",
        "boot id of the VM": vm["boot_id"]["inside"],
        "boot id of its server": vm["boot_id"]["server"],
    }
    own_kernel = vm["boot_id"]["inside"] != vm["boot_id"]["server"]
    return own_kernel and len(ends.with_a_device(vm["adapters"])) == len(vm["adapters"]) and bool(holder), evidence


def one_end_of_a_pair(container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
    """Each adapter of the container is one end of a pair in its server's kernel; no device, so no driver of one."""
    if not container["adapters"]:
        return None
    first = container["adapters"][0]
    far, names = first["server"] or {}, container["namespace"]
    evidence = {
        "the container's adapter": _named(first["inside"]),
        "its device": "none" if first["inside"]["device"] is None else first["inside"]["device"]["driver"],
        "its peer": f"{_named(far)}, number {far['index']}" if far else "none",
        "network namespace of the container": names["inside"],
        "network namespace of its server": names["server"],
        "boot id of the container": container["boot_id"]["inside"],
        "boot id of its server": container["boot_id"]["server"],
    }
    pairs = all(
        one["inside"]["driver"] == "veth" and (one["server"] or {}).get("driver") == "veth"
        for one in container["adapters"]
    )
    apart = names["inside"] != names["server"]
    same_kernel = container["boot_id"]["inside"] == container["boot_id"]["server"]
    return pairs and apart and same_kernel and not ends.with_a_device(container["adapters"]), evidence


def _named(interface: Mapping[str, Any]) -> str:
    return f"{interface['name']} ({interface['driver']})"


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="vm-has-an-adapter-with-a-driver",
        row=ROW,
        text="A VM has a virtual network adapter: a device with a driver in its own kernel.",
        experiment="adapters",
        observe=seen("adapters", (BRIDGED,), own_driver, adapters.LOOKING),
        because="QEMU imitates a PCI device, which the guest's kernel finds on its bus and drives as it would a real "
        "one; frames pass through QEMU's memory to a tap of the server.",
    ),
    Observed(
        name="container-has-one-end-of-a-pair",
        row=ROW,
        text="A container has one end of a pair of interfaces and no driver of a device.",
        experiment="adapters",
        observe=seen("adapters", (PUBLISHED,), one_end_of_a_pair, adapters.LOOKING),
        because="the engine makes two interfaces in the server's kernel that hand each other their frames, and moves "
        "one into the container's network namespace; there is no device that anything would have to drive.",
    ),
    Measured(
        name="adapter-takes-more-memory",
        row=ROW,
        text="One more adapter of a VM takes more of the server's memory than one of a container.",
        metric=Metric(
            "adapter_memory_mib",
            "MiB",
            "Memory of the server that one more adapter takes: what the replica's own processes (PSS: all of QEMU\n"
            "without its translation cache, or the container's) and the server's kernel (slab that cannot be given\n"
            "back, counters for each CPU, stacks, page tables) grow by from adapter to adapter, as the median\n"
            "slope of nine readings.",
            experiment="adapters",
            action=adapters.PLUGGING,
            value="adapter_memory_mib",
            example=0.91,
        ),
        greater=BRIDGED,
        other=PUBLISHED,
        effect=_MANY,
        bound_by="memory",
        because="a VM's adapter has a tap in the server's kernel, a device in QEMU and a driver in the guest's kernel, "
        "which fills its receive queue with buffers of guest memory before the first frame comes; a container's are "
        "two interfaces of the server's kernel with no buffer in store.",
        effect_because="a factor below two is a matter of how long one makes the queues",
    ),
    Measured(
        name="adapter-takes-longer",
        row=ROW,
        text="Plugging one more adapter into a running VM takes longer than into a running container.",
        metric=Metric(
            "adapter_ms",
            "ms",
            "Milliseconds from the order to plug one more adapter in until the replica's kernel says that it is up\n"
            "and has its link; the median of eight in a row.",
            experiment="adapters",
            action=adapters.PLUGGING,
            value="adapter_ms",
            example=412.5,
        ),
        greater=BRIDGED,
        other=PUBLISHED,
        effect=1.5,
        bound_by="cpu",
        because="libvirt has QEMU make the device, ACPI tells the guest's kernel, which reads the bus, places the "
        "device in its address space and has its driver set up queues; the engine makes a pair, gives it an address "
        "and moves one end.",
        effect_because="repeats on one busy machine differ by tens of per cent",
    ),
)
