"""What a lab's resources and what is in its servers are called. Pure: for who makes them and for who looks for them.

Each of these names is part of a URN in every state or stands in servers that are up: another one replaces what has it.
"""

from __future__ import annotations

import re

from infra.plan import PREFIX, PROJECT, SERVING
from infra.sides import NAMES

HOST = "engine"
"""The provider of the laptop's engine."""

SOCKETS = "sockets"
"""The resource on which all depends that has sockets on the laptop."""

SERVER_VOLUMES = {"docker-data": "/var/lib/docker", "libvirt-data": "/var/lib/libvirt"}
"""Parts of a server that stay when its container is made anew -> where they are in it."""

SHARED_DIR = "/srv/shared"
"""In each server of a cluster: the folder that all of its side share. It is one file system of the laptop's kernel."""

POOL = NETWORK = "lab"
"""In a server: the pool of the guests' disks, the network of the containers."""

NAT_NETWORK = "nat"
"""In a server: libvirt's network of guests that are reached by NAT."""

NAT_BRIDGE = "virbr0"
"""In a server: its bridge, by libvirt's own name for the first one."""

LAN_NETWORK = "lan"
"""In a server: the engine's network of containers that have an address of their own on the lab's LAN."""

CONTAINER_BASE = f"{PROJECT}/container-base"
SERVICE_IMAGE = f"{PROJECT}/service"
GUEST_FILES = ("base", "kernel", "initrd")
"""What all guests of a server share; each is in its pool, with the digest of what it was made from in its name."""

_PROVIDER = re.compile(r"\bpulumi:providers:(docker|libvirt)::(?P<server>.+)-(docker|libvirt)(::|$)")
_PART = re.compile(rf"::(?P<server>server-[0-9]+)(-({'|'.join(SERVER_VOLUMES)}))?$")
_SERVING = re.compile(rf"::(?P<role>{'|'.join(SERVING)})(-data)?$")


def on(server: str, resource: str, index: int) -> str:
    """A resource that each of a side's servers has: on the first, of `index` 0, by its own name alone."""
    return f"{resource}-{server}" if index else resource


def replica(side: str, index: int) -> str:
    """A replica, which is also the name of its domain or container."""
    return f"{side}-{index + 1}"


def index(replica: str) -> int:
    """The index of a replica on its side, from its name."""
    return int(replica.rpartition("-")[2]) - 1


def disk(replica: str) -> str:
    """The resource that is a guest's own disk; see overlay for the name that it has in the pool."""
    return f"{replica}-disk"


def overlay(replica: str) -> str:
    """In the pool: the guest's own disk, over the base that all share."""
    return f"{replica}.qcow2"


def data(replica: str) -> str:
    """The volume of a container's data."""
    return f"{replica}-data"


def playbook(replica: str) -> str:
    """The resource that configures a replica; its files in the lab's folder begin with it."""
    return f"{replica}-playbook"


def ready(replica: str) -> str:
    """The resource that waits until a replica answers."""
    return f"{replica}-ready"


def host_key_file(replica: str) -> str:
    """In the lab's folder: the guest's ssh host key, pinned when it was first configured."""
    return f"{playbook(replica)}.host_key"


def replicas(side: str) -> str:
    """A regular expression of a side's replicas."""
    return rf"{side}-[0-9]+"


def guest_disks(side: str) -> str:
    """A regular expression of what a side's `up` puts into a server's pool."""
    return rf"{replicas(side)}\.qcow2|({'|'.join(GUEST_FILES)})-[0-9a-f]+"


OURS = re.compile(rf"({'|'.join(NAMES)})-[0-9]+([-.].*)?|{PREFIX}-.*")
"""Names in a server of replicas, of their disks and volumes, and of what experiments make beside them."""


def belongs(resource: str, replica: str) -> bool:
    """Whether a resource is a replica's own, which no other one and no image needs."""
    return resource == replica or resource.startswith(f"{replica}-")


def server_by(provider: str) -> str:
    """The server in which a provider makes things, from its URN, with its id or without; "" for the laptop's engine."""
    found = _PROVIDER.search(provider)
    return found["server"] if found else ""


def server_in(urn: str) -> str:
    """The server that a resource on the laptop's engine is, or is a volume of; "" if it is neither."""
    found = _PART.search(urn)
    return found["server"] if found else ""


def serving_in(urn: str) -> str:
    """The role of what serves servers from beside them that a resource is, or is a volume of; "" if it is neither."""
    found = _SERVING.search(urn)
    return found["role"] if found else ""
