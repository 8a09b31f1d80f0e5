"""Where an engine lives: whether it shares this machine's kernel, network and files, as local servers need.

An engine may be in a virtual machine, in another network namespace (rootless) or see other files, and answer as well
as any. Looking changes nothing: a container is asked for whose image does not exist, so that the engine says of each
bind mount whether it sees the path, and makes nothing. `problem` is pure.
"""

from __future__ import annotations

import platform
import socket
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound
from docker.types import Mount

_NO_IMAGE = "vm-vs-container/none:this-image-never-exists"
_INTERFACES = "/proc/sys/net/ipv4/conf"
"""Shows each process the interfaces of its own network namespace, whoever mounted it."""

_PASSING = ("veth", "vnet", "tap", "br-", "vvc")
"""Interfaces that come and go with containers and VMs; "br-" is looked at from the engine's side."""

_CONNECT_S = 5.0
_OTHER_NAMESPACE = "it runs in another network namespace than this machine's programs"


@dataclass(frozen=True)
class EnginePlace:
    """What an engine and the kernel say of where the engine is."""

    operating_system: str
    name: str
    kernel: str
    security: tuple[str, ...]
    components: tuple[str, ...]
    data: str
    peer: int | None
    """Process id behind the engine's socket, 0 where it is in another pid namespace; None if it is not known."""

    peer_elsewhere: bool
    """That process is seen to have another network namespace than this one."""

    bridges_lacking: tuple[str, ...]
    """Bridges of the engine's networks, where none of them is among this machine's interfaces."""

    interfaces_unseen: tuple[str, ...]
    """Interfaces of this machine that the engine does not see."""

    files_unseen: tuple[str, ...]
    """Folders in which a file of ours is nothing to the engine."""


def problem(place: EnginePlace, kernel: str) -> str:
    """Pure: which engine this is and why it cannot carry local servers; "" if it can. `kernel` is this machine's."""
    system, name = place.operating_system, place.name
    where = f"{name}, {system}" if system else name
    unseen, lacking = ", ".join(place.interfaces_unseen), ", ".join(place.bridges_lacking)
    snap = "this is the Docker Engine of a snap, and " if place.data.startswith("/var/snap/") else ""
    findings = (
        ("Docker Desktop" in system or name == "docker-desktop",
         "this is Docker Desktop, whose engine runs in a virtual machine of its own"),
        (any("Podman" in component for component in place.components),
         "this is Podman's imitation of the Docker API, not a Docker Engine"),
        (any(option.split(",")[0] == "name=rootless" for option in place.security),
         f"this is a rootless Docker Engine: {_OTHER_NAMESPACE}, and may not run servers"),
        (place.kernel != kernel,
         f"it runs on another machine or in a virtual machine ({where}, kernel {place.kernel})"),
        (place.peer == 0, "its process is not to be seen from here: either it or this shell is in a container"),
        (place.peer_elsewhere, _OTHER_NAMESPACE),
        (bool(unseen), f"{_OTHER_NAMESPACE} (it does not see {unseen})"),
        (bool(lacking), f"{_OTHER_NAMESPACE}, or its bridge was deleted ({lacking} is not here)"),
        (bool(place.files_unseen), f"{snap}it does not see the files in {', '.join(place.files_unseen)}"),
    )  # fmt: skip
    return next((text for found, text in findings if found), "")


def look(client: docker.DockerClient, version: Mapping[str, Any], info: Mapping[str, Any], host: str,
         folders: Sequence[Path]) -> EnginePlace:  # fmt: skip
    """Ask the engine at a Unix socket, and the kernel, about the engine's place; `folders` hold what servers need."""
    peer = _peer(Path(host.removeprefix("unix://")))
    needed, interfaces = bridges(client), _interfaces()
    return EnginePlace(
        operating_system=str(info.get("OperatingSystem", "")),
        name=str(info.get("Name", "")),
        kernel=str(info.get("KernelVersion", "")),
        security=tuple(info.get("SecurityOptions") or ()),
        components=tuple(str(one.get("Name", "")) for one in version.get("Components") or ()),
        data=str(info.get("DockerRootDir", "")),
        peer=peer,
        peer_elsewhere=_elsewhere(peer),
        bridges_lacking=() if needed & interfaces else tuple(sorted(needed)),
        interfaces_unseen=tuple(_unseen_interfaces(client)),
        files_unseen=tuple(str(folder) for folder in folders if not _sees_files_in(client, folder)),
    )


def this_kernel() -> str:
    """What an engine of this machine says of its kernel."""
    return platform.release()


def _peer(path: Path) -> int | None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_CONNECT_S)
        try:
            one.connect(str(path))
            answer = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    return int(struct.unpack("3i", answer)[0])


def _elsewhere(peer: int | None) -> bool:
    try:
        return bool(peer) and Path(f"/proc/{peer}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:  # another account's process
        return False


def _interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def bridges(client: docker.DockerClient) -> set[str]:
    """Names of the bridges that the engine's networks must have."""
    found = set()
    for network in client.api.networks(filters={"driver": "bridge"}):
        given = (network.get("Options") or {}).get("com.docker.network.bridge.name")
        found.add(str(given or f"br-{network['Id'][:12]}"))
    return found


def _unseen_interfaces(client: docker.DockerClient) -> list[str]:
    lasting = sorted(name for name in _interfaces() - {"lo"} if not name.startswith(_PASSING))
    shown = [name for name in lasting if Path(_INTERFACES, name).is_dir()]
    unseen = [name for name in shown if not _sees(client, f"{_INTERFACES}/{name}")]
    return sorted(set(unseen) & _interfaces())


def _sees_files_in(client: docker.DockerClient, folder: Path) -> bool:
    with _mark(folder) as path:
        return _sees(client, str(path))


@contextmanager
def _mark(folder: Path) -> Iterator[Path]:
    """A file that only this machine can have, in the folder or above it; where none can be made, what is there."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    try:
        file = tempfile.NamedTemporaryFile(dir=there, prefix=".vvc-seen-")  # noqa: SIM115 - closed below
    except OSError:
        yield there
        return
    with file:
        yield Path(file.name)


def _sees(client: docker.DockerClient, path: str) -> bool:
    """Whether the engine sees a path; where it says nothing of it, we do not know better."""
    try:
        client.containers.create(_NO_IMAGE, mounts=[Mount("/seen", path, type="bind", read_only=True)])
    except ImageNotFound:
        return True
    except APIError as error:
        return "invalid mount config" not in str(error.explanation)
    return True
