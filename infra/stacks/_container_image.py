"""The service's container image, built on a server's engine."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra import names
from infra.lab import Blueprint
from infra.server import Server
from infra.source import text_digest, tree_digest

DATA_DIR = "/var/lib/vvc-service"
"""In the image: where the service keeps its data."""


def built(parent: pulumi.Resource, index: int, server: Server, lab: Blueprint) -> docker.RemoteImage:
    """The image on a side's server of this index, with its base."""
    machine = lab.machine
    # The provider's other builder ignores the provider's host and builds on the engine of DOCKER_HOST.
    # What replaces an image is in its name, its context's place included (a checkout may be moved): a replacement
    # of the same name would delete the image that was just built.
    base = docker.RemoteImage(
        names.on(server.name, "container-base", index),
        name=f"{names.CONTAINER_BASE}:{machine.container_digest}-{text_digest(machine.container_dir)}",
        build=docker.RemoteImageBuildArgs(context=machine.container_dir, use_legacy_builder=True),
        force_remove=True,
        opts=server.inside(parent, server.docker),
    )
    return on(base, parent, index, server, lab)


def on(
    base: docker.RemoteImage, parent: pulumi.Resource, index: int, server: Server, lab: Blueprint, *, registry: str = ""
) -> docker.RemoteImage:
    """The service's image on a base that the server has; one that is to be pushed begins with its registry."""
    settings, commit = lab.settings, lab.commit
    service = Path(lab.machine.checkout) / "service"
    parts = (settings.service_version, tree_digest(service), commit.rstrip("+"), text_digest(str(service)))
    return docker.RemoteImage(
        names.on(server.name, "container-image", index),
        name=f"{registry}{names.SERVICE_IMAGE}:{'-'.join(parts)}",
        build=docker.RemoteImageBuildArgs(
            context=str(service),
            use_legacy_builder=True,
            build_args={"BASE": base.name, "VERSION": settings.service_version, "COMMIT": commit},
        ),
        triggers={"base": base.image_id},
        force_remove=True,
        opts=pulumi.ResourceOptions.merge(
            server.inside(parent, server.docker), pulumi.ResourceOptions(depends_on=[base])
        ),
    )
