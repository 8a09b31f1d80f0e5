"""The ground of clusters: each side's servers with what they share, and what serves them on the laptop's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from infra import edge, ground, labels, machine, names, outputs, paths, plan, rules
from infra.lab import Blueprint
from infra.plan import LAN, PlannedServer
from infra.pushed import Pushed
from infra.server import Member, Server

ROOTFS = "rootfs.tar.gz"
"""In the build context of the container base image: all of it."""

_POWER_DIR = "/srv/power"
_TOOL_STOP_S = 2


def build(lab: Blueprint, indexes: Mapping[str, Sequence[int]]) -> ground.Ground:
    """Declare the servers of each side, by their indexes, and what stands beside them."""
    if not lab.machine.cluster_image:
        raise machine.NotSetUpError(
            "The image of a cluster's servers was not made yet.", f"Run: ./lab up {lab.plan.lab}"
        )
    host, sockets = ground.laptop(lab), ground.sockets(lab)
    networks = ground.networks(lab, host)
    opts = pulumi.ResourceOptions(provider=host)
    registry = _registry(lab, opts, networks["mgmt"])
    beside = [
        _power(lab, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[sockets]))),
        Pushed(
            "registry-base",
            image=base_image(lab),
            rootfs=str(Path(lab.machine.container_dir, ROOTFS)),
            triggers=[registry.id],
            opts=pulumi.ResourceOptions(deleted_with=registry),
        ),
    ]
    carrying = {}
    for side, own in indexes.items():
        storage = docker.Volume(
            f"{side}-storage", name=lab.plan.name(f"{side}-storage"), labels=labels.volume(lab.plan), opts=opts
        )
        carrying[side] = [
            Server(
                one,
                networks=networks,
                lab=lab,
                host=host,
                sockets=sockets,
                member=_member(side, one, lab, storage, beside),
            )
            for one in lab.plan.servers(own)
        ]
    edges = [outputs.Edge(side, lab.plan.edge_url(side)) for side in indexes]
    behind = {one.side: (one.url, _behind(one.side, carrying[one.side], lab)) for one in edges}
    _tool(
        "edge",
        lab,
        opts,
        ["haproxy", "-db", "-f", _CONFIGURATION],
        uploads=[docker.ContainerUploadArgs(file=_CONFIGURATION, content=edge.configuration(behind))],
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=networks[LAN].name, ipv4_address=str(lab.plan.edge_address))
        ],
    )
    return ground.Ground([one for side in carrying.values() for one in side], carrying, edges)


def base_image(lab: Blueprint) -> str:
    """Name of the container base image in the lab's registry."""
    return f"{lab.plan.registry}/{names.CONTAINER_BASE}:{lab.machine.container_digest}"


_CONFIGURATION = "/etc/haproxy/haproxy.cfg"


def _member(
    side: str, planned: PlannedServer, lab: Blueprint, storage: docker.Volume, beside: Sequence[pulumi.Resource]
) -> Member:
    return Member(
        side,
        lab.machine.cluster_image,
        mounts=[
            docker.ContainerVolumeArgs(volume_name=storage.name, container_path=names.SHARED_DIR),
            docker.ContainerVolumeArgs(host_path=_power_dir(lab), container_path=_POWER_DIR),
        ],
        envs=[f"VVC_MGMT={planned.addresses['mgmt']}", f"VVC_REGISTRY={lab.plan.registry}"],
        needs=beside,
    )


def _behind(side: str, servers: Sequence[Server], lab: Blueprint) -> list[str]:
    """Where a side's replica may answer: at an address of its own, or at that of any server."""
    (path,) = lab.settings.along(side)
    return list(dict.fromkeys(paths.KINDS[path].url(lab.plan, 0, server.address) for server in servers))


def _power(lab: Blueprint, opts: pulumi.ResourceOptions) -> docker.Container:
    whose = plan.labels(lab.plan.checkout, lab.plan.lab, "server")
    return _tool(
        "power",
        lab,
        opts,
        ["/usr/local/lib/vvc/power"],
        envs=[
            "VVC_LABELS=" + ",".join(f"{key}={value}" for key, value in whose.items()),
            f"VVC_PREFIX={lab.plan.name('')}",
        ],
        network_mode="none",
        volumes=[
            docker.ContainerVolumeArgs(
                host_path=lab.machine.docker_host.removeprefix("unix://"), container_path="/run/docker.sock"
            ),
            docker.ContainerVolumeArgs(host_path=_power_dir(lab), container_path="/run/vvc-power"),
        ],
    )


def _power_dir(lab: Blueprint) -> str:
    return lab.machine.sockets_dir(lab.plan.lab, "power")


def _registry(lab: Blueprint, opts: pulumi.ResourceOptions, mgmt: docker.Network) -> docker.Container:
    data = docker.Volume(
        "registry-data", name=lab.plan.name("registry-data"), labels=labels.volume(lab.plan), opts=opts
    )
    return _tool(
        "registry",
        lab,
        opts,
        ["docker-registry", "serve", "/etc/docker/registry/config.yml"],
        volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path="/var/lib/docker-registry")],
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=mgmt.name, ipv4_address=lab.plan.registry.partition(":")[0])
        ],
    )


def _tool(
    role: plan.Role, lab: Blueprint, opts: pulumi.ResourceOptions, command: list[str], **more: Any
) -> docker.Container:
    """A container on the laptop's engine that serves the clusters; it has the servers' image, which has its program."""
    return docker.Container(
        role,
        name=lab.plan.name(role),
        hostname=role,
        image=lab.machine.cluster_image,
        labels=labels.container(lab.plan, role),
        entrypoints=["/usr/bin/tini", "--", *command],
        healthcheck=docker.ContainerHealthcheckArgs(tests=["NONE"]),
        restart="unless-stopped",
        destroy_grace_seconds=_TOOL_STOP_S,
        opts=pulumi.ResourceOptions.merge(opts, rules.options("tool container")),
        **more,
    )
