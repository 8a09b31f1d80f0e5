"""The folders of a lab's sockets go with the lab."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra import sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    """As two labs leave it whose servers are gone: one had no time to take its sockets along."""
    # A socket's path ends at 108 bytes, which pytest's folders nearly fill.
    with TemporaryDirectory() as place:
        found = Path(place, "run")
        for name in ("deployment-server-1", "deployment-server-2", "failover-server-1", "failover-power"):
            (found / name).mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(found / "deployment-server-2" / "libvirt-sock"))
        (found / "deployment-server-2" / "libvirt.sock").symlink_to("libvirt-sock")
        yield found


def test_they_go_when_the_lab_goes(folder: Path) -> None:
    """Another lab's stay; with the last lab's goes the folder that they were in."""
    sockets.clear(folder, "deployment")
    assert sorted(one.name for one in folder.iterdir()) == ["failover-power", "failover-server-1"]
    sockets.clear(folder, "failover")
    assert not folder.exists()
    sockets.clear(folder, "failover")


@pytest.mark.parametrize("name", ["deployment-server-1/kept", "deployment-server-1/kept/deep", "other/kept"])
def test_what_is_no_socket_stays(folder: Path, name: str) -> None:
    """A file of somebody's, or what is mounted there."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x", encoding="utf-8")
    for lab in ("deployment", "failover"):
        sockets.clear(folder, lab)
    assert file.read_text(encoding="utf-8") == "x"
    assert not (folder / "deployment-server-2").exists()


def test_a_server_that_lives_keeps_its_sockets(folder: Path) -> None:
    """As when a program that knows of no such resource has Pulumi delete it."""
    own = folder / "deployment-server-2"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(own / "docker.sock"))
        one.listen()
        sockets.clear(folder, "deployment")
    assert [path.name for path in own.iterdir()] == ["docker.sock"]
    assert not (folder / "deployment-server-1").exists()


def test_a_folder_that_moves_is_another_one() -> None:
    """Pulumi removes the former one when nothing has sockets in it any more; any other value changes nothing."""
    provider = sockets._Provider()
    olds = {"folder": "/run/a", "lab": "deployment", "__provider": "x"}
    assert provider.diff("id", olds, {**olds, "__provider": "y"}).changes is False
    moved = provider.diff("id", olds, {**olds, "folder": "/run/b"})
    assert (moved.changes, moved.replaces) == (True, ["folder"])
