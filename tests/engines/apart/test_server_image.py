"""The server image: healthy soon, its sockets private, its VMs on the LAN; back after a kill, gone soon when told."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from infra.server import STOP_WITHIN_S
from labkit.setup.building import images
from labkit.system import paths
from labkit.system.progress import Quiet
from labkit.system.waiting import until
from tests.engines.real import engine
from tests.pace import at_once

pytestmark = pytest.mark.engine

LABEL = "vm-vs-container.test"
HEALTHY_S = 60
"""On an idle machine; see tests/pace.py."""
PATIENCE_S = 300

# A VM that never hears its power button: it has no operating system.
DEAF_VM = """<domain type='qemu'><name>deaf</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><emulator>/usr/bin/vvc-emulator</emulator>
<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>
<console type='pty'><target type='serial' port='0'/></console>
<graphics type='vnc'><listen type='none'/></graphics></devices></domain>"""


class Server:
    """A server of the image, as the Pulumi program starts it."""

    def __init__(self, client: docker.DockerClient, sockets: Path) -> None:
        self.images = images.ensure(client, Quiet())
        cgroup_v1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
        self.sockets = sockets
        self.uuid = str(uuid.uuid4())
        # By the docker CLI: the SDK has no word for systempaths.
        created = engine(
            "create",
            *("--label", f"{LABEL}=server"),
            *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--device=/dev/net/tun"),
            *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
            *("--security-opt=systempaths=unconfined", "--security-opt=label=disable"),
            *(["--cgroupns=host", "-v/sys/fs/cgroup:/sys/fs/cgroup"] if cgroup_v1 else ["--cgroupns=private"]),
            *("-v/var/lib/docker", "-v/var/lib/libvirt", f"-v{sockets}:/run/vvc"),
            *(f"-eVVC_OWNER={os.getuid()}:{os.getgid()}", f"-eVVC_HOST_UUID={self.uuid}"),
            self.images.server,
        )
        self.container: Container = client.containers.get(created)

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        with at_once(HEALTHY_S):
            self.container.start()
            well = until(lambda: self.health() == "healthy", PATIENCE_S)
        assert well, self.container.logs(tail=30)

    def health(self) -> str:
        self.container.reload()
        return str(self.container.attrs["State"]["Health"]["Status"])

    def run(self, *command: str) -> str:
        done = self.container.exec_run(list(command))
        assert isinstance(done.output, bytes)
        output = done.output.decode()
        assert done.exit_code == 0, f"{command}: {output}"
        return output.strip()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    client = docker.from_env()
    with tempfile.TemporaryDirectory(prefix="vvc-", dir=paths.runtime().parent) as folder:
        # Two folders: the server changes the mode and owner of the one it is given.
        sockets = Path(folder) / "s"
        sockets.mkdir()
        made = Server(client, sockets)
        try:
            made.start()
            yield made
        finally:
            made.container.remove(force=True, v=True)
            client.close()


def test_its_sockets_are_private_and_answer_on_the_laptop(server: Server) -> None:
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    assert all_private(server)
    with closing(docker.DockerClient(base_url=f"unix://{server.sockets}/docker.sock")) as inner:
        assert inner.ping()
    assert (server.sockets / "libvirt.sock").is_socket()


def all_private(server: Server) -> bool:
    """Whether each socket is there for its owner alone."""
    there = [socket.stat() for socket in server.sockets.glob("*sock")]
    return len(there) > 1 and {(stat.S_IMODE(one.st_mode), one.st_uid) for one in there} == {(0o700, os.getuid())}


def test_it_has_the_name_that_libvirt_was_given(server: Server) -> None:
    assert server.uuid in server.run("virsh", "capabilities")


def test_its_bridge_has_the_lan_port_with_mac_and_address(server: Server) -> None:
    (network,) = server.container.attrs["NetworkSettings"]["Networks"].values()
    bridge = server.run("ip", "-4", "address", "show", "dev", "br0")
    assert f"inet {network['IPAddress']}/{network['IPPrefixLen']}" in bridge
    assert network["MacAddress"] in server.run("ip", "link", "show", "dev", "br0")
    assert f"default via {network['Gateway']} dev br0" in server.run("ip", "route")
    assert "inet " not in server.run("ip", "-4", "address", "show", "dev", "eth0")
    server.run("iptables", "-C", "DOCKER-USER", "-i", "br0", "-o", "br0", "-j", "ACCEPT")


def test_nothing_in_it_listens_on_a_port(server: Server) -> None:
    assert server.run("ss", "-Hltnu") == ""


def test_after_a_kill_it_comes_back_with_vms_and_containers_and_stops_in_time(server: Server) -> None:
    context = server.images.container_dir
    with closing(docker.DockerClient(base_url=f"unix://{server.sockets}/docker.sock", timeout=60)) as inner:
        inner.images.build(path=str(context), tag="test")
    # sleep as PID 1 hears no SIGTERM: the worst case for the stop below.
    server.run("docker", "run", "-d", "--name=deaf", "--memory=64m", "--restart=unless-stopped", "test", "sleep", "600")
    limit = "cat /sys/fs/cgroup/memory.max 2> /dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert server.run("docker", "exec", "deaf", "sh", "-c", limit) == str(64 * 2**20)
    server.run("sh", "-c", f'echo "{DEAF_VM}" > /root/deaf.xml && virsh define /root/deaf.xml')
    server.run("virsh", "autostart", "deaf")
    server.run("virsh", "start", "deaf")

    server.container.kill()
    server.start()
    assert running(server) == {"vm deaf", "container deaf"}

    # As `pulumi destroy` does; who needs longer is killed, and has another exit status.
    server.container.stop(timeout=STOP_WITHIN_S)
    server.container.reload()
    assert server.container.attrs["State"]["ExitCode"] == 0

    server.start()
    assert running(server) == {"vm deaf", "container deaf"}


def test_a_libvirtd_that_is_stuck_is_followed_by_another(server: Server) -> None:
    """VMs go on, the server stays well, and its socket is its owner's as before."""

    def daemon() -> str:
        return server.run("sh", "-c", "pgrep -o -x libvirtd || true")

    emulators, was = server.run("pgrep", "-f", "guest=deaf"), daemon()
    server.run("kill", "-STOP", was)
    server.run("timeout", "60", "/usr/local/lib/vvc/answering")
    assert daemon() not in (was, "")
    assert running(server) == {"vm deaf", "container deaf"}
    assert server.run("pgrep", "-f", "guest=deaf") == emulators
    assert all_private(server)
    assert server.health() == "healthy"
    assert "libvirtd was stuck: it is started again" in server.container.logs().decode()


def running(server: Server) -> set[str]:
    """What runs in the server."""
    vms = server.run("virsh", "--quiet", "list", "--name").split()
    containers = server.run("docker", "ps", "--format", "{{.Names}}").split()
    return {f"vm {name}" for name in vms} | {f"container {name}" for name in containers}


@pytest.mark.parametrize("daemon", ["libvirtd", "dockerd"])
def test_it_ends_with_an_error_when_a_daemon_dies(server: Server, daemon: str) -> None:
    if server.health() != "healthy" or server.container.status != "running":
        server.start()
    server.run("pkill", "-KILL", "-x", daemon)
    assert server.container.wait(timeout=PATIENCE_S)["StatusCode"] == 1


def test_an_engine_that_ends_before_it_answers_is_started_again(server: Server) -> None:
    """As on a machine so busy that its containerd does not start in time: then it is as well as any."""
    server.container.stop(timeout=STOP_WITHIN_S)
    fails_once = b'#!/bin/sh\n[ -e /var/failed ] && exec /usr/sbin/dockerd "$@"\n: > /var/failed\nexit 1\n'
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("dockerd")
        entry.size, entry.mode = len(fails_once), 0o755
        tar.addfile(entry, io.BytesIO(fails_once))
    assert server.container.put_archive("/usr/local/sbin", archive.getvalue())
    server.start()
    assert "dockerd ended with status 1 before it answered" in server.container.logs().decode()
    assert server.run("docker", "info", "--format", "{{.Driver}}") == "overlay2"
