"""The folders in which a lab's sockets come out on the laptop. The engine makes them; they go with the lab."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, Resource

from infra.listening import listens
from infra.machine import Machine, socket_dirs
from infra.provider import Provider


class _Provider(Provider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["folder"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        moved = olds["folder"] != news["folder"]
        return DiffResult(changes=moved, replaces=["folder"] if moved else [])

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        clear(Path(props["folder"]), props["lab"])


class Sockets(Resource, module="lab", name="Sockets"):
    """Nothing while the lab is there. Whatever has sockets depends on it, so that plain `pulumi destroy` comes to it
    last and takes their folders away as well."""

    def __init__(self, name: str, *, lab: str, machine: Machine) -> None:
        super().__init__(_Provider(), name, {"folder": machine.runtime_dir, "lab": lab})


def clear(folder: Path, lab: str) -> None:
    """Remove the lab's folders in this one with the dead sockets in them, and this one, where nothing else is in it.

    What stays is found by `./lab leftovers`.
    """
    for own in socket_dirs(folder, lab):
        with suppress(OSError):
            for one in own.iterdir():
                if _dead(one):
                    one.unlink()
            own.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _dead(path: Path) -> bool:
    """Whether it is a socket to which nobody listens any more, or a link to one that is gone."""
    if not path.exists():
        return path.is_symlink()
    return path.is_socket() and listens(path) is False
