"""The container stack: the service's container image, built on the server's engine, and one container a replica."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra import labels, names, outputs, paths
from infra.lab import Blueprint
from infra.last_lines import LINES
from infra.ready import Ready
from infra.server import Server
from infra.source import text_digest, tree_digest
from infra.stacks import Stack, _container_networks
from infra.stacks._container_networks import Attached

SIDE = "container"
DATA_DIR = "/var/lib/vvc-service"
_STOP_WITHIN_S = 10


class ContainerStack(pulumi.ComponentResource):
    """Replicas of the service, each in a container of its own."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:ContainerStack", SIDE)
        images = [self._image(index, server, lab) for index, server in enumerate(servers)]
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

    def _image(self, index: int, server: Server, lab: Blueprint) -> docker.RemoteImage:
        inside = server.inside(self, server.docker)
        settings, machine, commit = lab.settings, lab.machine, lab.commit
        service = Path(machine.checkout) / "service"
        # The provider's other builder ignores the provider's host and builds on the engine of DOCKER_HOST.
        # What replaces an image is in its name, its context's place included (a checkout may be moved): a replacement
        # of the same name would delete the image that was just built.
        base = docker.RemoteImage(
            names.on(server.name, "container-base", index),
            name=f"{names.CONTAINER_BASE}:{machine.container_digest}-{text_digest(machine.container_dir)}",
            build=docker.RemoteImageBuildArgs(context=machine.container_dir, use_legacy_builder=True),
            force_remove=True,
            opts=inside,
        )
        parts = (settings.service_version, tree_digest(service), commit.rstrip("+"), text_digest(str(service)))
        return docker.RemoteImage(
            names.on(server.name, "container-image", index),
            name=f"{names.SERVICE_IMAGE}:{'-'.join(parts)}",
            build=docker.RemoteImageBuildArgs(
                context=str(service),
                use_legacy_builder=True,
                build_args={"BASE": base.name, "VERSION": settings.service_version, "COMMIT": commit},
            ),
            triggers={"base": base.image_id},
            force_remove=True,
            opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[base])),
        )

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
            volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path=DATA_DIR)],
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
