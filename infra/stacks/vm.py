"""The VM stack: disks in a pool, one domain a replica, configured by Ansible until the service answers."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_libvirt as libvirt

from infra import names, outputs, paths, rules
from infra.domain import CPU, EMULATOR, MACHINE, TYPE
from infra.lab import Blueprint
from infra.last_lines import CONSOLE_DIR, LINES
from infra.playbook import Inputs, Playbook
from infra.ready import Ready
from infra.server import IMAGES_DIR, Server
from infra.source import tree_digest
from infra.stacks import Stack, _vm_networks
from infra.stacks._vm_networks import Attached

GIB = 1024**3
SIDE = "vm"
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


@dataclass(frozen=True)
class _Volumes:
    """What all guests of a server share."""

    pool: libvirt.Pool
    kernel: libvirt.Volume
    initrd: libvirt.Volume
    disk: libvirt.Volume


class VmStack(pulumi.ComponentResource):
    """Replicas of the service, each in a guest of its own."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:VmStack", SIDE)
        volumes = [self._volumes(index, server, lab) for index, server in enumerate(servers)]
        networks = [_vm_networks.nat(self, index, server, lab) for index, server in enumerate(servers)]
        self.replicas = [
            self._replica(
                index,
                servers[at],
                lab,
                volumes[at],
                _vm_networks.attached(path, index, servers[at], lab.plan, networks[at]),
            )
            for index, path in enumerate(lab.settings.along(SIDE))
            for at in [index % len(servers)]
        ]
        self.register_outputs({})

    def _volumes(self, index: int, server: Server, lab: Blueprint) -> _Volumes:
        inside = server.inside(self, server.libvirt)
        guest = Path(lab.machine.guest_dir)
        pool = libvirt.Pool(
            names.on(server.name, "vm-pool", index),
            name=names.POOL,
            type="dir",
            target=libvirt.PoolTargetArgs(path=f"{IMAGES_DIR}/{names.POOL}"),
            opts=inside,
        )

        def shared(part: str, file: str, kind: str) -> libvirt.Volume:
            # The digest is in the name: changed content at the same path is no diff for the provider.
            return libvirt.Volume(
                names.on(server.name, f"vm-{part}", index),
                name=f"{part}-{lab.machine.guest_digest}",
                pool=pool.name,
                format=kind,
                source=_as_url_path(guest / file),
                opts=inside,
            )

        base, kernel, initrd = names.GUEST_FILES
        return _Volumes(
            pool,
            kernel=shared(kernel, "vmlinuz", "raw"),
            initrd=shared(initrd, "initrd.img", "raw"),
            disk=shared(base, "disk.qcow2", "qcow2"),
        )

    def _replica(
        self, index: int, server: Server, lab: Blueprint, volumes: _Volumes, attached: Attached
    ) -> pulumi.Output[outputs.Replica]:
        name = names.replica(SIDE, index)
        overlay = libvirt.Volume(
            names.disk(name),
            name=names.overlay(name),
            pool=volumes.pool.name,
            base_volume_id=volumes.disk.id,
            size=lab.settings.disk_gib * GIB,
            opts=server.inside(self, server.libvirt),
        )
        domain = self._domain(name, server, lab, attached, volumes=volumes, overlay=overlay)
        configured = self._configured(name, server, lab, attached, domain, triggers=[domain.id, overlay.id])
        ready = Ready(
            names.ready(name),
            url=paths.url(SIDE, attached.path, lab.plan, index, server.address),
            replica=name,
            version=lab.settings.service_version,
            triggers=[configured.done, server.container.id],
            console=_last_lines(name, server),
            opts=server.contents(self, depends_on=[configured]),
        )
        return ready.url.apply(
            lambda url: outputs.Replica(
                name=name, side=SIDE, server=server.name, url=url, handle=name, path=attached.path
            )
        )

    def _domain(
        self,
        name: str,
        server: Server,
        lab: Blueprint,
        attached: Attached,
        *,
        volumes: _Volumes,
        overlay: libvirt.Volume,
    ) -> libvirt.Domain:
        settings, cpu = lab.settings, CPU.get(lab.settings.accelerator)
        return libvirt.Domain(
            name,
            name=name,
            description=attached.description,
            type=TYPE[settings.accelerator],
            machine=MACHINE,
            emulator=EMULATOR,
            cpu=libvirt.DomainCpuArgs(mode=cpu) if cpu else None,
            vcpu=settings.vcpus,
            memory=settings.memory_mib,
            kernel=volumes.kernel.id,
            initrd=volumes.initrd.id,
            cmdlines=_cmdlines(name, attached, lab.machine.public_key(lab.plan.lab)),
            disks=[libvirt.DomainDiskArgs(volume_id=overlay.id)],
            network_interfaces=[attached.adapter],
            consoles=[libvirt.DomainConsoleArgs(type="pty", target_type="serial", target_port="0")],
            graphics=libvirt.DomainGraphicsArgs(type="vnc", listen_type="none"),
            autostart=True,
            opts=pulumi.ResourceOptions.merge(server.inside(self, server.libvirt), rules.options("domain")),
        )

    def _configured(
        self,
        name: str,
        server: Server,
        lab: Blueprint,
        attached: Attached,
        domain: libvirt.Domain,
        *,
        triggers: Sequence[pulumi.Input[str]],
    ) -> Playbook:
        machine, checkout = lab.machine, Path(lab.machine.checkout)
        host, port = attached.ssh
        shown = shlex.join(server.reach.words(["cat", f"{CONSOLE_DIR}/{name}.console"]))
        inputs = Inputs(
            name=names.playbook(name),
            host=host,
            port=port,
            private_key=str(machine.private_key(lab.plan.lab)),
            playbook=str(checkout / "playbooks" / "site.yml"),
            variables={
                "vvc_replica": name,
                "vvc_side": SIDE,
                "vvc_server": server.name,
                "vvc_version": lab.settings.service_version,
                "vvc_commit": lab.commit,
                **attached.variables,
            },
            digest=tree_digest(checkout / "playbooks", checkout / "service"),
            triggers=triggers,
            log_dir=str(machine.lab_dir(lab.plan.lab)),
            hint=f"Look at the guest's console: {shown}",
            console=_last_lines(name, server),
        )
        return Playbook(inputs, server.contents(self, depends_on=[domain]))


def _as_url_path(path: Path) -> str:
    # The provider reads it as a URL without a scheme.
    return str(path).replace("%", "%25").replace("#", "%23").replace("?", "%3F")


def _last_lines(name: str, server: Server) -> list[str]:
    # The rung "domain running" is told beside it: a domain that stopped explains a silent guest.
    script = f'echo "domain {name}: $(virsh domstate {name} --reason)"; tail -n {LINES} {CONSOLE_DIR}/{name}.console'
    return server.reach.words(["sh", "-c", script])


def _cmdlines(name: str, attached: Attached, public_key: str) -> list[dict[str, str]]:
    # This is the form in which the provider reads it back; another one is a replacement at each refresh.
    key = base64.b64encode(public_key.encode()).decode()
    return [
        {
            **KERNEL_VALUES,
            "console": "ttyS0",
            "root": "/dev/vda",
            "vvc.address": str(attached.address),
            "vvc.gateway": str(attached.gateway),
            "vvc.hostname": name,
            "vvc.sshkey": key,
        },
        {"_": KERNEL_WORDS},
    ]


STACK: type[Stack] = VmStack
