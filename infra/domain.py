"""What a VM is: the one definition, as values for Pulumi's provider and as XML where libvirt itself is asked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

MACHINE = "pc"
EMULATOR = "/usr/bin/vvc-emulator"
"""In the server image: QEMU, with a log of the console and a bounded translation cache.

Where the laptop has libvirt, its AppArmor profile holds for the server's libvirtd too: of the folders of programs it
lets libvirtd start what lies in /usr/bin and /usr/sbin, not what lies in /usr/local.
"""

CPU: Mapping[str, str] = {"kvm": "host-passthrough"}
"""Mode of the CPU. A container sees the machine's own one, and so does a VM that can. Without a word it gets QEMU's
oldest, without AES and AVX; which is also what is emulated fastest."""

TYPE: Mapping[str, str] = {"kvm": "kvm", "tcg": "qemu"}
"""What libvirt calls a domain that is run so."""


@dataclass(frozen=True)
class Domain:
    """A VM as its server has it. Paths are the server's; an empty `disk`, `bridge` or `network` is none of that."""

    name: str
    accelerator: str
    vcpus: int
    memory_mib: int
    kernel: str
    initrd: str
    cmdline: str
    """Parameters of the kernel, as words."""
    uuid: str = ""
    """What tells it from another one of its name; libvirt's choice where it is empty."""
    title: str = ""
    disk: str = ""
    """Its overlay, in the format qcow2."""
    bridge: str = ""
    network: str = ""
    """One of libvirt's own, in place of a bridge."""
    mac: str = ""
    console: str = ""
    """File that its first serial port is written to; empty: a terminal of its own."""
    once: bool = False
    """Whether it ends where it would begin anew."""


def domain_xml(domain: Domain) -> str:
    """The definition that `virsh define` and `virsh create` take."""
    once = dict.fromkeys(("on_poweroff", "on_reboot", "on_crash"), "destroy") if domain.once else {}
    cpu = [_tag("cpu", mode=CPU[domain.accelerator])] if domain.accelerator in CPU else []
    root = _tag(
        "domain",
        _text("name", domain.name),
        *([_text("uuid", domain.uuid)] if domain.uuid else []),
        *([_text("title", domain.title)] if domain.title else []),
        _text("memory", str(domain.memory_mib), unit="MiB"),
        _text("vcpu", str(domain.vcpus)),
        _tag(
            "os",
            _text("type", "hvm", arch="x86_64", machine=MACHINE),
            _text("kernel", domain.kernel),
            _text("initrd", domain.initrd),
            _text("cmdline", domain.cmdline),
        ),
        _tag("features", _tag("acpi"), _tag("apic")),
        *cpu,
        *(_text(event, what) for event, what in once.items()),
        _tag("devices", _text("emulator", EMULATOR), *_devices(domain)),
        type=TYPE[domain.accelerator],
    )
    ElementTree.indent(root)  # Pacemaker's agent reads it by lines
    return ElementTree.tostring(root, encoding="unicode")


def _devices(domain: Domain) -> Iterator[ElementTree.Element]:
    if domain.disk:
        yield _tag(
            "disk",
            _tag("driver", name="qemu", type="qcow2"),
            _tag("source", file=domain.disk),
            _tag("target", dev="vda", bus="virtio"),
            type="file",
            device="disk",
        )
    for kind, source in (("bridge", domain.bridge), ("network", domain.network)):
        if source:
            yield _tag(
                "interface",
                _tag("mac", address=domain.mac),
                _tag("source", **{kind: source}),
                _tag("model", type="virtio"),
                type=kind,
            )
    file = [_tag("source", path=domain.console)] if domain.console else []
    yield _tag("serial", *file, _tag("target", port="0"), type="file" if file else "pty")


def _tag(name: str, /, *parts: ElementTree.Element, **attributes: str) -> ElementTree.Element:
    element = ElementTree.Element(name, attributes)
    element.extend(parts)
    return element


def _text(name: str, text: str, /, **attributes: str) -> ElementTree.Element:
    element = ElementTree.Element(name, attributes)
    element.text = text
    return element
