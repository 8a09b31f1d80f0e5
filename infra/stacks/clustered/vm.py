"""The VM stack on a cluster: disks on shared storage. Pacemaker alone defines and starts the VM, not Pulumi."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pulumi
import pulumi_libvirt as libvirt

from infra import names, outputs
from infra.domain import Domain, domain_xml
from infra.lab import Blueprint
from infra.ready import Ready
from infra.server import BRIDGE, Server
from infra.stacks import Stack, _vm_kernel, _vm_networks, _vm_playbook, _vm_volumes
from infra.stacks._vm_networks import Attached
from infra.stacks._vm_volumes import Volumes
from infra.stacks.clustered._formed import formed

SIDE = "vm"


class VmCluster(pulumi.ComponentResource):
    """The replica of the service, in a guest that the cluster runs on one of its servers."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:VmCluster", SIDE)
        first, name = servers[0], names.replica(SIDE, 0)
        (path,) = lab.settings.along(SIDE)
        volumes = _vm_volumes.shared(self, 0, first, lab, f"{names.SHARED_DIR}/{names.POOL}")
        overlay = _vm_volumes.overlay(self, name, first, lab, volumes)
        attached = _vm_networks.attached(path, 0, first, lab.plan, None)
        cluster = formed(
            self,
            SIDE,
            servers,
            lab,
            playbook="pacemaker.yml",
            variables={
                "pacemaker_cluster": lab.plan.name(""),
                "pacemaker_key_file": str(lab.machine.lab_dir(lab.plan.lab) / "corosync.key"),
                "pacemaker_definitions": f"{names.SHARED_DIR}/definitions",
                "pacemaker_vms": {name: _definition(name, lab, attached, volumes, overlay)},
            },
            after=[volumes.disk],
        )
        configured = _vm_playbook.configured(
            self,
            name,
            first,
            lab,
            attached,
            triggers=[cluster.done, overlay.id],
            after=cluster,
            where=f"{SIDE}-cluster",
        )
        url = lab.plan.edge_url(SIDE)
        ready = Ready(
            names.ready(name),
            url=url,
            replica=name,
            version=lab.settings.service_version,
            triggers=[configured.done],
            console=_vm_playbook.last_lines(name, first),
            opts=first.contents(self, depends_on=[configured]),
        )
        self.replicas = [
            ready.url.apply(
                lambda url: outputs.Replica(
                    name=name,
                    side=SIDE,
                    server=first.name,
                    url=url,
                    handle=name,
                    address=str(lab.plan.vm_address(0)),
                    path=path,
                )
            )
        ]
        self.register_outputs({})


def _definition(
    name: str, lab: Blueprint, attached: Attached, volumes: Volumes, overlay: libvirt.Volume
) -> pulumi.Output[str]:
    settings, plan = lab.settings, lab.plan
    values = _vm_kernel.values(name, attached, lab.machine.public_key(plan.lab))
    cmdline = " ".join([*(f"{key}={value}" for key, value in values.items()), _vm_kernel.WORDS])
    return pulumi.Output.all(volumes.kernel.id, volumes.initrd.id, overlay.id).apply(
        lambda files: domain_xml(
            Domain(
                name,
                settings.accelerator,
                settings.vcpus,
                settings.memory_mib,
                kernel=files[0],
                initrd=files[1],
                cmdline=cmdline,
                uuid=str(uuid.uuid5(uuid.NAMESPACE_OID, plan.name(name))),
                disk=files[2],
                bridge=BRIDGE,
                mac=plan.vm_mac(0),
            )
        )
    )


STACK: type[Stack] = VmCluster
