"""What ssh is told of a checkout whose path has what paths may have, as ssh itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.outputs import Replica, Server
from infra.reach import Reach
from labkit.sides import SIDES


def test_a_guest_behind_nat_is_reached_by_a_port_of_its_server(tmp_path: Path) -> None:
    """The one that the plan leads to its sshd; any other guest's is ssh's own."""
    server = Server("server-1", "10.200.7.2", Reach("docker", "unix:///e", "c"), "unix:///x", "qemu:")
    nat = Replica("vm-2", "vm", "server-1", "http://10.200.7.2:8102", "vm-2", "nat")
    words = SIDES["vm"].exec_command(nat, server, tmp_path, ["id"], tty=False)
    assert words[-4:] == ["-p", "8202", "root@10.200.7.2", "id"]
    bridged = Replica("vm-2", "vm", "server-1", "http://10.200.7.17:8000", "vm-2", "bridged")
    assert "-p" not in SIDES["vm"].exec_command(bridged, server, tmp_path, ["id"], tty=False)


def test_ssh_reads_the_paths_as_they_are(tmp_path: Path) -> None:
    """By ssh -G, which says what it made of its options and connects to nothing."""
    folder = tmp_path / 'a clone\'s ünï %23# {{x}} "q"'
    replica = Replica(name="vm-1", side="vm", server="server-1", url="http://10.200.7.16:8000", handle="vm-1")
    server = Server("server-1", "10.200.7.2", Reach("docker", "unix:///e", "c"), "unix:///x", "qemu:")
    program, *words = SIDES["vm"].exec_command(replica, server, folder, [], tty=False)
    told = subprocess.run(
        [program, "-G", "-F", "none", *words], capture_output=True, text=True, encoding="utf-8", timeout=20, check=True
    ).stdout.splitlines()
    # Some of them it tells as they stand after the sign has been replaced, some before.
    read = {line.replace("%%", "%") for line in told}
    assert f"identityfile {folder}/id_ed25519" in read
    assert f"userknownhostsfile {folder}/vm-1-playbook.host_key" in read
