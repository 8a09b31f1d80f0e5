"""A server: a machine that runs libvirt and a Docker Engine. Local: a container on the laptop's engine."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pulumi
import pulumi_docker as docker
import pulumi_libvirt as libvirt

from infra import labels, names, outputs, rules
from infra.bounds import HEALTHY
from infra.lab import Blueprint
from infra.machine import Machine
from infra.plan import LAN, Network, PlannedServer
from infra.reach import Reach

BRIDGE = "br0"
"""Bridge in the server that holds its LAN port; VMs are on it."""

IMAGES_DIR = "/var/lib/libvirt/images"
"""Folder of the pools; on a volume, as are libvirt's definitions and all of the engine's data."""

MEMBER_SHM_MIB = 256
"""Corosync and Pacemaker keep 33 MiB there, a cluster's coordinator 48, and stop where there is no more."""

STOP_WITHIN_S = 15
"""Seconds that a server has to end its VMs and containers before it is killed."""
_INSIDE = "/run/vvc"
_ALL_IS_WHAT_THERE_IS = 23
"""First major version of Docker in which ALL capabilities are those that the engine has."""


def dropped_capabilities(machine: Machine) -> list[str]:
    """Capabilities that the server's container must be denied by name, for the laptop's engine.

    Up to Docker 20.10 ALL means all that the kernel knows, and where the engine itself lacks SYS_RESOURCE (in a
    sandbox) no container with ALL starts; a server does without it. Since 23.0 ALL means what the engine has, and
    to drop what it has not is an error.
    """
    return ["CAP_SYS_RESOURCE"] if int(machine.engine_version.split(".")[0]) < _ALL_IS_WHAT_THERE_IS else []


@dataclass(frozen=True)
class Member:
    """What makes a server one of a cluster, which carries one side."""

    side: str
    image: str
    mounts: Sequence[docker.ContainerVolumeArgs]
    envs: Sequence[str]
    needs: Sequence[pulumi.Resource]
    """What must be there before it."""


class Server(pulumi.ComponentResource):
    """One server with its networks and storage; hands out a libvirt and a docker provider to whoever asks."""

    def __init__(
        self,
        planned: PlannedServer,
        *,
        networks: Mapping[Network, docker.Network],
        lab: Blueprint,
        host: docker.Provider,
        sockets: pulumi.Resource,
        member: Member | None = None,
    ) -> None:
        plan, machine = lab.plan, lab.machine
        name = planned.name
        super().__init__("vm-vs-container:index:Server", name)
        self.name = name
        self._member = member
        self.addresses = {network: str(address) for network, address in planned.addresses.items()}
        self.address = self.addresses[LAN]
        place = machine.sockets_dir(plan.lab, name)
        child = pulumi.ResourceOptions(parent=self, provider=host)
        self.reach = Reach("docker", machine.docker_host, plan.name(name))
        self.container = docker.Container(
            name,
            name=self.reach.container,
            hostname=name,
            image=member.image if member else machine.server_image,
            labels=labels.container(plan, "server"),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(
                    name=networks[one].name, ipv4_address=str(address), mac_address=planned.macs[one]
                )
                for one, address in planned.addresses.items()
            ],
            capabilities=docker.ContainerCapabilitiesArgs(adds=["ALL"], drops=dropped_capabilities(machine)),
            security_opts=["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined", "label=disable"],
            devices=_devices(lab),
            cgroupns_mode="host" if machine.cgroup_version == 1 else "private",
            shm_size=MEMBER_SHM_MIB if member else None,
            volumes=[*_mounts(name, place, lab, child), *(member.mounts if member else ())],
            envs=[
                f"VVC_HOST_UUID={uuid.uuid5(uuid.NAMESPACE_OID, plan.name(name))}",
                f"VVC_OWNER={machine.owner}",
                f"VVC_SERVER={name}",
                *(member.envs if member else ()),
            ],
            restart="no",
            destroy_grace_seconds=STOP_WITHIN_S,
            wait=True,
            wait_timeout=HEALTHY.seconds,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions.merge(child, rules.options("server container")),
                pulumi.ResourceOptions(depends_on=[sockets, *(member.needs if member else ())]),
            ),
        )
        self.docker_host = f"unix://{place}/docker.sock"
        self.libvirt_uri = f"qemu+unix:///system?socket={quote(place)}/libvirt.sock"
        self._dependent = pulumi.ResourceOptions(deleted_with=self.container)
        self.register_outputs({})

    # A provider is a process: there is one only where something is made. It is built of an output of the container, so
    # that nothing dials before the server is healthy.

    @cached_property
    def docker(self) -> docker.Provider:
        """The provider of its engine."""
        host = self.container.id.apply(lambda _: self.docker_host)
        return docker.Provider(f"{self.name}-docker", host=host, opts=pulumi.ResourceOptions(parent=self))

    @cached_property
    def libvirt(self) -> libvirt.Provider:
        """The provider of its libvirt, which keeps its connection: another URI for another container makes it dial."""
        uri = self.container.id.apply(lambda id_: f"{self.libvirt_uri}&server={id_[:12]}")
        return libvirt.Provider(f"{self.name}-libvirt", uri=uri, opts=pulumi.ResourceOptions(parent=self))

    def declare_providers(self) -> tuple[pulumi.ProviderResource, ...]:
        """Both, where an experiment may put something into a server that is empty."""
        return self.docker, self.libvirt

    def inside(self, parent: pulumi.Resource, provider: pulumi.ProviderResource) -> pulumi.ResourceOptions:
        """Options for a resource inside this server: it goes when the server goes."""
        return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=parent, provider=provider), self._dependent)

    def contents(self, parent: pulumi.Resource, depends_on: list[pulumi.Resource]) -> pulumi.ResourceOptions:
        """Options for what is neither libvirt's nor the engine's but speaks of something inside this server."""
        return pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(parent=parent, depends_on=depends_on), self._dependent
        )

    def output(self) -> outputs.Server:
        """This server in the stack's contract."""
        return outputs.Server(
            name=self.name,
            address=self.address,
            reach=self.reach,
            docker_host=self.docker_host,
            libvirt_uri=self.libvirt_uri,
            side=self._member.side if self._member else None,
        )


def _mounts(name: str, place: str, lab: Blueprint, child: pulumi.ResourceOptions) -> list[docker.ContainerVolumeArgs]:
    """The volumes that stay when the server's container is made anew, and where its sockets come out."""
    volumes = [
        docker.Volume(
            f"{name}-{part}", name=lab.plan.name(f"{name}-{part}"), labels=labels.volume(lab.plan), opts=child
        )
        for part in names.SERVER_VOLUMES
    ]
    mounts = [
        docker.ContainerVolumeArgs(volume_name=volume.name, container_path=place)
        for volume, place in zip(volumes, names.SERVER_VOLUMES.values(), strict=True)
    ]
    mounts.append(docker.ContainerVolumeArgs(host_path=place, container_path=_INSIDE))
    if lab.machine.cgroup_version == 1:
        mounts.append(docker.ContainerVolumeArgs(host_path="/sys/fs/cgroup", container_path="/sys/fs/cgroup"))
    return mounts


def _devices(lab: Blueprint) -> list[docker.ContainerDeviceArgs]:
    paths = ["/dev/net/tun", *(["/dev/kvm"] if lab.settings.accelerator == "kvm" else [])]
    return [docker.ContainerDeviceArgs(host_path=path) for path in paths]
