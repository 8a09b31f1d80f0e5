"""The VM stack: disks in a pool, one domain a replica, configured by Ansible until the service answers."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_libvirt as libvirt

from infra import outputs, rules
from infra.lab import Blueprint
from infra.last_lines import CONSOLE_DIR, LINES
from infra.machine import Machine
from infra.plan import SERVICE_PORT, Plan, playbook_name
from infra.playbook import Playbook
from infra.ready import Ready
from infra.server import BRIDGE, IMAGES_DIR, Server
from infra.source import tree_digest

GIB = 1024**3
KERNEL_WORDS = "quiet rw nokaslr no_timer_check cryptomgr.notests"
KERNEL_VALUES = {
    "TERM": "dumb",
    "audit": "0",
    "lsm": "yama",
    "psi": "0",
    "rcupdate.rcu_expedited": "1",
    "tsc": "reliable",
}
"""Kernel parameters without and with a value: what each is for stands in images/guest/README.md."""

CPU = {"kvm": libvirt.DomainCpuArgs(mode="host-passthrough"), "tcg": None}
"""A container sees the machine's own CPU, and so does a VM that can. Without a word it gets QEMU's oldest, without AES
and AVX; which is also what is emulated fastest."""

EMULATOR = "/usr/bin/vvc-emulator"
"""In the server image: QEMU, with a log of the console and a bounded translation cache.

Where the laptop has libvirt, its AppArmor profile holds for the server's libvirtd too: of the folders of programs it
lets libvirtd start what lies in /usr/bin and /usr/sbin, not what lies in /usr/local.
"""


@dataclass(frozen=True)
class _Volumes:
    """What all guests of a server share."""

    pool: libvirt.Pool
    kernel: libvirt.Volume
    initrd: libvirt.Volume
    disk: libvirt.Volume


class VmStack(pulumi.ComponentResource):
    """Replicas of the service, each in a guest of its own."""

    def __init__(self, server: Server, lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:VmStack", "vm")
        inside = server.inside(self, server.libvirt)
        guest = Path(lab.machine.guest_dir)
        pool = libvirt.Pool(
            "vm-pool",
            name="lab",
            type="dir",
            target=libvirt.PoolTargetArgs(path=f"{IMAGES_DIR}/lab"),
            opts=inside,
        )

        def base(part: str, file: str, kind: str) -> libvirt.Volume:
            # The digest is in the name: changed content at the same path is no diff for the provider.
            return libvirt.Volume(
                f"vm-{part}",
                name=f"{part}-{lab.machine.guest_digest}",
                pool=pool.name,
                format=kind,
                source=_as_url_path(guest / file),
                opts=inside,
            )

        kernel, initrd = base("kernel", "vmlinuz", "raw"), base("initrd", "initrd.img", "raw")
        disk = base("base", "disk.qcow2", "qcow2")
        volumes = _Volumes(pool, kernel, initrd, disk)
        self.replicas = [self._replica(index, server, lab, volumes) for index in range(lab.settings.replicas)]
        self.register_outputs({})

    def _replica(
        self,
        index: int,
        server: Server,
        lab: Blueprint,
        volumes: _Volumes,
    ) -> pulumi.Output[outputs.Replica]:
        settings, plan, machine = lab.settings, lab.plan, lab.machine
        name = f"vm-{index + 1}"
        address = str(plan.vm_address(index))
        inside = server.inside(self, server.libvirt)
        overlay = libvirt.Volume(
            f"{name}-disk",
            name=f"{name}.qcow2",
            pool=volumes.pool.name,
            base_volume_id=volumes.disk.id,
            size=settings.disk_gib * GIB,
            opts=inside,
        )
        domain = libvirt.Domain(
            name,
            name=name,
            type="kvm" if settings.accelerator == "kvm" else "qemu",
            machine="pc",
            emulator=EMULATOR,
            cpu=CPU[settings.accelerator],
            vcpu=settings.vcpus,
            memory=settings.memory_mib,
            kernel=volumes.kernel.id,
            initrd=volumes.initrd.id,
            cmdlines=_cmdlines(name, address, plan, machine),
            disks=[libvirt.DomainDiskArgs(volume_id=overlay.id)],
            network_interfaces=[libvirt.DomainNetworkInterfaceArgs(bridge=BRIDGE, mac=plan.vm_mac(index))],
            consoles=[libvirt.DomainConsoleArgs(type="pty", target_type="serial", target_port="0")],
            graphics=libvirt.DomainGraphicsArgs(type="vnc", listen_type="none"),
            autostart=True,
            opts=pulumi.ResourceOptions.merge(inside, rules.options("domain")),
        )
        checkout = Path(machine.checkout)
        console = _last_lines(name, server)
        shown = shlex.join(server.reach.words(["cat", f"{CONSOLE_DIR}/{name}.console"]))
        configured = Playbook(
            playbook_name(name),
            host=address,
            private_key=str(machine.private_key(plan.lab)),
            playbook=str(checkout / "playbooks" / "site.yml"),
            variables={
                "vvc_replica": name,
                "vvc_side": "vm",
                "vvc_server": server.name,
                "vvc_version": settings.service_version,
                "vvc_commit": lab.commit,
            },
            digest=tree_digest(checkout / "playbooks", checkout / "service"),
            triggers=[domain.id, overlay.id],
            log_dir=str(machine.lab_dir(plan.lab)),
            hint=f"Look at the guest's console: {shown}",
            console=console,
            opts=server.contents(self, depends_on=[domain]),
        )
        url = f"http://{address}:{SERVICE_PORT}"
        ready = Ready(
            f"{name}-ready",
            url=url,
            replica=name,
            version=settings.service_version,
            triggers=[configured.done, server.container.id],
            console=console,
            opts=server.contents(self, depends_on=[configured]),
        )
        return ready.url.apply(
            lambda url: outputs.Replica(name=name, side="vm", server=server.name, url=url, handle=name)
        )


def _as_url_path(path: Path) -> str:
    # The provider reads it as a URL without a scheme.
    return str(path).replace("%", "%25").replace("#", "%23").replace("?", "%3F")


def _last_lines(name: str, server: Server) -> list[str]:
    # The rung "domain running" is told beside it: a domain that stopped explains a silent guest.
    script = f'echo "domain {name}: $(virsh domstate {name} --reason)"; tail -n {LINES} {CONSOLE_DIR}/{name}.console'
    return server.reach.words(["sh", "-c", script])


def _cmdlines(name: str, address: str, plan: Plan, machine: Machine) -> list[dict[str, str]]:
    # This is the form in which the provider reads it back; another one is a replacement at each refresh.
    key = base64.b64encode(machine.public_key(plan.lab).encode()).decode()
    return [
        {
            **KERNEL_VALUES,
            "console": "ttyS0",
            "root": "/dev/vda",
            "vvc.address": f"{address}/{plan.subnet.prefixlen}",
            "vvc.gateway": str(plan.gateway),
            "vvc.hostname": name,
            "vvc.sshkey": key,
        },
        {"_": KERNEL_WORDS},
    ]
