"""The container stack: the service's container image, built on the server's engine, and one container a replica."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from infra import labels, names, outputs, paths
from infra.lab import Blueprint
from infra.last_lines import LINES
from infra.ready import Ready
from infra.server import Server
from infra.stacks import Stack, _container_image, _container_networks
from infra.stacks._container_networks import Attached

SIDE = "container"
_STOP_WITHIN_S = 10


class ContainerStack(pulumi.ComponentResource):
    """Replicas of the service, each in a container of its own."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:ContainerStack", SIDE)
        images = [_container_image.built(self, index, server, lab) for index, server in enumerate(servers)]
        along = lab.settings.along(SIDE)
        networks = [
            _container_networks.declared(self, index, server, lab, along) for index, server in enumerate(servers)
        ]
        self.replicas = [
            self._replica(
                index,
                servers[at],
                lab,
                images[at],
                _container_networks.attached(path, index, lab.plan, networks[at]),
            )
            for index, path in enumerate(along)
            for at in [index % len(servers)]
        ]
        self.register_outputs({})

    def _replica(
        self,
        index: int,
        server: Server,
        lab: Blueprint,
        image: docker.RemoteImage,
        attached: Attached,
    ) -> pulumi.Output[outputs.Replica]:
        settings, plan = lab.settings, lab.plan
        name = names.replica(SIDE, index)
        inside = server.inside(self, server.docker)
        data = docker.Volume(
            names.data(name),
            name=names.data(name),
            labels=labels.volume(plan),
            opts=inside,
        )
        container = docker.Container(
            name,
            name=name,
            hostname=name,
            image=image.image_id,
            labels=labels.container(plan),
            envs=[f"VVC_REPLICA={name}", f"VVC_SERVER={server.name}", f"VVC_SIDE={SIDE}", *attached.envs],
            volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path=_container_image.DATA_DIR)],
            cpus=f"{settings.vcpus}.0",
            memory=settings.memory_mib,
            memory_swap=settings.memory_mib,
            restart="unless-stopped",
            destroy_grace_seconds=_STOP_WITHIN_S,
            opts=inside,
            **attached.network,
        )
        ready = Ready(
            names.ready(name),
            url=paths.url(SIDE, attached.path, plan, index, server.address),
            replica=name,
            version=settings.service_version,
            triggers=[container.id, server.container.id],
            console=["docker", "--host", server.docker_host, "logs", "--tail", str(LINES), name],
            opts=server.contents(self, depends_on=[container]),
        )
        return ready.url.apply(
            lambda url: outputs.Replica(
                name=name, side=SIDE, server=server.name, url=url, handle=name, path=attached.path
            )
        )


STACK: type[Stack] = ContainerStack
