"""The container stack on a cluster: one Swarm service a replica, whose image is in the lab's registry."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from infra import names, outputs, plan
from infra.cluster import base_image
from infra.lab import Blueprint
from infra.last_lines import LINES
from infra.pushed import Pinned
from infra.ready import Ready
from infra.server import Server
from infra.stacks import Stack, _container_image
from infra.stacks.clustered._formed import formed

SIDE = "container"
_MIB = 1024**2


class ContainerCluster(pulumi.ComponentResource):
    """The replica of the service, in a container that Swarm runs on one of its servers."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:ContainerCluster", SIDE)
        first, name = servers[0], names.replica(SIDE, 0)
        (path,) = lab.settings.along(SIDE)
        base = docker.RemoteImage(
            "container-base", name=base_image(lab), force_remove=True, opts=first.inside(self, first.docker)
        )
        image = _container_image.on(base, self, 0, first, lab, registry=f"{lab.plan.registry}/")
        folder = f"{names.SHARED_DIR}/{names.data(name)}"
        cluster = formed(
            self,
            SIDE,
            servers,
            lab,
            playbook="swarm.yml",
            variables={"swarm_images": [image.name], "swarm_data": {name: folder}},
            after=[image],
        )
        pinned = Pinned(
            "container-image-pinned",
            image=image.name,
            triggers=[cluster.done],
            opts=first.contents(self, depends_on=[cluster]),
        )
        service = self._service(name, folder, first, lab, image=pinned.pinned)
        ready = Ready(
            names.ready(name),
            url=lab.plan.edge_url(SIDE),
            replica=name,
            version=lab.settings.service_version,
            triggers=[service.id, image.name],
            console=["docker", "--host", first.docker_host, "service", "logs", "--tail", str(LINES), name],
            opts=first.contents(self, depends_on=[service]),
        )
        self.replicas = [
            ready.url.apply(
                lambda url: outputs.Replica(name=name, side=SIDE, server=first.name, url=url, handle=name, path=path)
            )
        ]
        self.register_outputs({})

    def _service(
        self,
        name: str,
        folder: str,
        server: Server,
        lab: Blueprint,
        *,
        image: pulumi.Output[str],
    ) -> docker.Service:
        settings = lab.settings
        return docker.Service(
            name,
            name=name,
            labels=[docker.ServiceLabelArgs(label=key, value=value) for key, value in lab.plan.labels.items()],
            mode=docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=1)),
            task_spec=docker.ServiceTaskSpecArgs(
                container_spec=docker.ServiceTaskSpecContainerSpecArgs(
                    image=image,
                    hostname=name,
                    env={"VVC_REPLICA": name, "VVC_SERVER": "{{.Node.Hostname}}", "VVC_SIDE": SIDE},
                    mounts=[
                        docker.ServiceTaskSpecContainerSpecMountArgs(
                            type="bind", source=folder, target=_container_image.DATA_DIR
                        )
                    ],
                    stop_grace_period="10s",
                ),
                resources=docker.ServiceTaskSpecResourcesArgs(
                    limits=docker.ServiceTaskSpecResourcesLimitsArgs(
                        nano_cpus=settings.vcpus * 10**9, memory_bytes=settings.memory_mib * _MIB
                    )
                ),
                # Delay and window are Docker's own defaults; what is not said reads back as a change.
                restart_policy=docker.ServiceTaskSpecRestartPolicyArgs(condition="any", delay="5s", window="0s"),
            ),
            endpoint_spec=docker.ServiceEndpointSpecArgs(
                ports=[
                    docker.ServiceEndpointSpecPortArgs(
                        target_port=plan.SERVICE_PORT,
                        published_port=lab.plan.container_port(0),
                        # The server's own port: without IPVS there is no mesh that leads from all servers to it.
                        publish_mode="host",
                    )
                ]
            ),
            converge_config=docker.ServiceConvergeConfigArgs(delay="1s", timeout="1m"),
            opts=server.inside(self, server.docker),
        )


STACK: type[Stack] = ContainerCluster
