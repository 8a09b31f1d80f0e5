"""The VM stack: disks in a pool, one domain a replica, configured by Ansible until the service answers."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_libvirt as libvirt

from infra import names, outputs, paths, rules
from infra.domain import CPU, EMULATOR, MACHINE, TYPE
from infra.lab import Blueprint
from infra.ready import Ready
from infra.server import Server
from infra.stacks import Stack, _vm_kernel, _vm_networks, _vm_playbook, _vm_volumes
from infra.stacks._vm_networks import Attached
from infra.stacks._vm_volumes import Volumes

SIDE = "vm"


class VmStack(pulumi.ComponentResource):
    """Replicas of the service, each in a guest of its own."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:VmStack", SIDE)
        volumes = [_vm_volumes.shared(self, index, server, lab) for index, server in enumerate(servers)]
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

    def _replica(
        self, index: int, server: Server, lab: Blueprint, volumes: Volumes, attached: Attached
    ) -> pulumi.Output[outputs.Replica]:
        name = names.replica(SIDE, index)
        overlay = _vm_volumes.overlay(self, name, server, lab, volumes)
        domain = self._domain(name, server, lab, attached, volumes=volumes, overlay=overlay)
        configured = _vm_playbook.configured(
            self, name, server, lab, attached, triggers=[domain.id, overlay.id], after=domain, may_start=True
        )
        ready = Ready(
            names.ready(name),
            url=paths.url(SIDE, attached.path, lab.plan, index, server.address),
            replica=name,
            version=lab.settings.service_version,
            triggers=[configured.done, server.container.id],
            console=_vm_playbook.last_lines(name, server),
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
        volumes: Volumes,
        overlay: libvirt.Volume,
    ) -> libvirt.Domain:
        settings, cpu = lab.settings, CPU.get(lab.settings.accelerator)
        values = _vm_kernel.values(name, attached, lab.machine.public_key(lab.plan.lab))
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
            # This is the form in which the provider reads it back; another one is a replacement at each refresh.
            cmdlines=[values, {"_": _vm_kernel.WORDS}],
            disks=[libvirt.DomainDiskArgs(volume_id=overlay.id)],
            network_interfaces=[attached.adapter],
            consoles=[libvirt.DomainConsoleArgs(type="pty", target_type="serial", target_port="0")],
            graphics=libvirt.DomainGraphicsArgs(type="vnc", listen_type="none"),
            autostart=True,
            opts=pulumi.ResourceOptions.merge(server.inside(self, server.libvirt), rules.options("domain")),
        )


STACK: type[Stack] = VmStack
