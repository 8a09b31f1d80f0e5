"""Which processes of a server stand for a replica, for whoever watches their system calls. Scripts for the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """One side."""

    pids: str
    """Prints the processes that stand for the replica $1, a number a line."""
    what: str
    """What they are, in words."""


SIDES: Mapping[str, Watched] = {
    "vm": Watched('cat "/run/libvirt/qemu/$1.pid"', "QEMU with all its threads"),
    "container": Watched('docker top "$1" -eo pid | sed 1d', "the container's processes with all their threads"),
}
"""Side -> what of it has its server's kernel do something. A guest's own system calls are its own kernel's."""
