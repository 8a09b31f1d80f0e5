"""What a VM is, as XML: from values, and the same as what the program declares."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from infra import domain
from infra.domain import Domain, domain_xml

VM = Domain(
    name="vm-1",
    accelerator="tcg",
    vcpus=2,
    memory_mib=512,
    kernel="/k",
    initrd="/i",
    cmdline="quiet root=/dev/vda",
    disk="/pool/vm-1.qcow2",
    bridge="br0",
    mac="52:76:63:00:02:00",
)


def parsed(one: Domain) -> ElementTree.Element:
    """Its definition."""
    return ElementTree.fromstring(domain_xml(one))  # noqa: S314 - ours


def test_it_has_what_was_asked_for() -> None:
    """Memory, CPUs, kernel, disk and adapter; a terminal as its console."""
    root = parsed(VM)
    assert (root.get("type"), root.findtext("name"), root.findtext("vcpu")) == ("qemu", "vm-1", "2")
    assert [(one.text, one.get("unit")) for one in root.iter("memory")] == [("512", "MiB")]
    assert [root.findtext(f"os/{part}") for part in ("kernel", "initrd", "cmdline")] == ["/k", "/i", VM.cmdline]
    (disk,), (adapter,) = root.iter("disk"), root.iter("interface")
    assert disk.find("source") is not None
    assert [(one.tag, dict(one.attrib)) for one in disk] == [
        ("driver", {"name": "qemu", "type": "qcow2"}),
        ("source", {"file": "/pool/vm-1.qcow2"}),
        ("target", {"dev": "vda", "bus": "virtio"}),
    ]
    assert [dict(one.attrib) for one in adapter] == [{"address": VM.mac}, {"bridge": "br0"}, {"type": "virtio"}]
    assert [one.get("type") for one in root.iter("serial")] == ["pty"]
    assert root.find("on_reboot") is None


def test_it_can_hang_on_a_network_of_libvirts() -> None:
    """In place of a bridge."""
    (adapter,) = parsed(dataclasses.replace(VM, bridge="", network="nat")).iter("interface")
    assert adapter.get("type") == "network"
    assert [dict(one.attrib) for one in adapter] == [{"address": VM.mac}, {"network": "nat"}, {"type": "virtio"}]


@pytest.mark.parametrize(("accelerator", "cpu"), [("tcg", None), ("kvm", "host-passthrough")])
def test_its_cpu_is_the_machines_where_it_can_be(accelerator: str, cpu: str | None) -> None:
    """Type and CPU go together, as in the program."""
    root = parsed(Domain("x", accelerator, 1, 256, "/k", "/i", ""))
    assert root.get("type") == domain.TYPE[accelerator]
    assert [one.get("mode") for one in root.iter("cpu")] == ([cpu] if cpu else [])


def test_one_that_is_to_run_once_ends_and_writes_what_it_says() -> None:
    """Without a disk or an adapter; whatever is in a name is text."""
    root = parsed(Domain("x", "tcg", 1, 256, "/k", "/i", "", title="a=b <&", console="/log", once=True))
    assert root.findtext("title") == "a=b <&"
    assert {root.findtext(event) for event in ("on_poweroff", "on_reboot", "on_crash")} == {"destroy"}
    assert [one.get("path") for one in root.findall("devices/serial/source")] == ["/log"]
    assert not list(root.iter("disk")) + list(root.iter("interface"))
