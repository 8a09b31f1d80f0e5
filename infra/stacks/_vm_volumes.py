"""What guests are made of, in a pool of their server: the files that all share, and each one's own disk over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_libvirt as libvirt

from infra import names
from infra.lab import Blueprint
from infra.server import IMAGES_DIR, Server

GIB = 1024**3


@dataclass(frozen=True)
class Volumes:
    """What all guests of a server share."""

    pool: libvirt.Pool
    kernel: libvirt.Volume
    initrd: libvirt.Volume
    disk: libvirt.Volume


def shared(
    parent: pulumi.Resource, index: int, server: Server, lab: Blueprint, folder: str = f"{IMAGES_DIR}/{names.POOL}"
) -> Volumes:
    """The pool in a folder of a side's server of this index, with what all its guests share."""
    inside = server.inside(parent, server.libvirt)
    guest = Path(lab.machine.guest_dir)
    pool = libvirt.Pool(
        names.on(server.name, "vm-pool", index),
        name=names.POOL,
        type="dir",
        target=libvirt.PoolTargetArgs(path=folder),
        opts=inside,
    )

    def volume(part: str, file: str, kind: str) -> libvirt.Volume:
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
    return Volumes(
        pool,
        kernel=volume(kernel, "vmlinuz", "raw"),
        initrd=volume(initrd, "initrd.img", "raw"),
        disk=volume(base, "disk.qcow2", "qcow2"),
    )


def overlay(parent: pulumi.Resource, name: str, server: Server, lab: Blueprint, volumes: Volumes) -> libvirt.Volume:
    """A guest's own disk."""
    return libvirt.Volume(
        names.disk(name),
        name=names.overlay(name),
        pool=volumes.pool.name,
        base_volume_id=volumes.disk.id,
        size=lab.settings.disk_gib * GIB,
        opts=server.inside(parent, server.libvirt),
    )


def _as_url_path(path: Path) -> str:
    # The provider reads it as a URL without a scheme.
    return str(path).replace("%", "%25").replace("#", "%23").replace("?", "%3F")
