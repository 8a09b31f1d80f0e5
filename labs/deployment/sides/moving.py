"""What of a replica must be carried to another server, and how it is started there. Both sides behind one protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra import names, plan
from infra.outputs import Replica, Server
from labkit.sides.protocol import Runner
from labs.deployment.sides import container_again

POOL = f"/var/lib/libvirt/images/{names.POOL}"


@dataclass(frozen=True)
class Part:
    """One thing to carry. `read` writes it to standard output in the first server, `write` takes it in the second.

    `digest` prints the sha256 of its content in either; empty where the content has an identity of its own.
    """

    name: str
    read: Sequence[str]
    write: Sequence[str]
    digest: Sequence[str] = ()


@dataclass(frozen=True)
class Move:
    """A replica packed: its parts, what starts it in the second server, what removes it from there."""

    parts: tuple[Part, ...]
    start: Sequence[str]
    remove: Sequence[str]
    identity: str
    """What is the same wherever it runs: a container image's id; a disk image has its content's digest."""
    started_by: str
    """The command of the side's own manager that starts it."""


def pack_vm(replica: Replica, run: Runner) -> Move:
    """Of a guest that is shut off: its disk image, overlay, kernel and initrd, as files, and its definition."""
    xml = run(["virsh", "--quiet", "dumpxml", "--inactive", replica.handle]).output
    shared = " ".join(f"{POOL}/{part}-*" for part in names.GUEST_FILES)
    files = run(["sh", "-c", f'ls {shared} "{POOL}/$1"', "sh", names.overlay(replica.handle)])
    parts = tuple(_file(path) for path in files.output.split())
    pool = f"virsh --quiet pool-create-as {names.POOL} dir --target {POOL}"
    start = ["sh", "-c", f'{pool} && printf %s "$1" > /run/moved.xml && virsh --quiet create /run/moved.xml', "sh", xml]
    return Move(parts, start, ["sh", "-c", _REMOVE_VM, "sh", replica.handle], "", "virsh create")


_REMOVE_VM = f"""
virsh --quiet destroy "$1" 2> /dev/null
virsh --quiet pool-destroy {names.POOL} 2> /dev/null
rm -rf {POOL} /run/moved.xml
"""


def _file(path: str) -> Part:
    name = path.rsplit("/", 1)[1]
    write = ["sh", "-c", f'mkdir -p {POOL} && cat > "$1"', "sh", path]
    return Part(name, ["cat", path], write, ["sha256sum", path])


def pack_container(replica: Replica, run: Runner) -> Move:
    """Of a container that is stopped: its image, by its id, and the data in its volume."""
    found = json.loads(run(["docker", "inspect", replica.handle]).output)[0]
    image, volume = str(found["Image"]), _volume(found)
    data = f"/var/lib/docker/volumes/{volume}/_data"
    parts = (
        Part("container image", ["docker", "save", image], ["docker", "load", "--quiet"]),
        Part(
            "data",
            ["tar", "-C", data, "-c", "."],
            ["sh", "-c", f"docker volume create {volume} > /dev/null && tar -C {data} -x"],
            ["sh", "-c", f"cd {data} && find . -type f | sort | xargs -r sha256sum"],
        ),
    )
    start = container_again.words(found, name=replica.handle, image=image)
    remove = f'docker rm -f "$1"; docker volume rm -f {volume}; docker rmi -f {image}; true'
    return Move(parts, start, ["sh", "-c", remove, "sh", replica.handle], image, "docker run")


def _volume(found: Mapping[str, Any]) -> str:
    return next(str(mount["Name"]) for mount in found["Mounts"] if mount["Type"] == "volume")


PACK = {"vm": pack_vm, "container": pack_container}


def _no_identity(_move: Move) -> list[str]:
    return ["true"]


def _image_id(move: Move) -> list[str]:
    return ["docker", "image", "inspect", "-f", "{{.Id}}", move.identity]


IDENTITY = {"vm": _no_identity, "container": _image_id}
"""What prints a move's identity in the second server, where it has one."""


def _vm_url(replica: Replica, _server: Server) -> str:
    return replica.url


def _container_url(replica: Replica, server: Server) -> str:
    return f"http://{server.address}:{urlsplit(replica.url).port or plan.SERVICE_PORT}"


URL = {"vm": _vm_url, "container": _container_url}
"""Where it answers in the second server: a guest has taken its address along, a published port is its server's."""
