"""A real guest for the playbooks: the guest disk image under QEMU, in a container of the server image.

The laptop has no QEMU, the server image has. User networking and two ports published on loopback are enough here.
"""

from __future__ import annotations

import base64
import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from infra import playbook
from labkit.setup.building.images import Images
from labkit.system import paths
from tests import another_checkout

PLAYBOOKS = paths.CHECKOUT / "playbooks"
VARIABLES = {"vvc_replica": "vm-1", "vvc_side": "vm", "vvc_server": "server-1", "vvc_version": "1", "vvc_commit": "abc"}
_PORTS_S = 60
_PATIENCE_S = 600
"""Bound of a boot, and of a playbook: a minute each on an idle machine, beside other work two and more."""
_QEMU = """
qemu-img create -q -f qcow2 -b /guest/disk.qcow2 -F qcow2 /tmp/disk.qcow2 3G
exec qemu-system-x86_64 -machine pc -accel tcg,tb-size=256 -smp 1 -m 512 -nodefaults -display none -no-reboot \
  -kernel /guest/vmlinuz -initrd /guest/initrd.img -append "$CMDLINE" -serial stdio \
  -drive file=/tmp/disk.qcow2,if=virtio,format=qcow2,cache=unsafe \
  -netdev user,id=lan,hostfwd=tcp::22-:22,hostfwd=tcp::8000-:8000 -device virtio-net-pci,netdev=lan
"""


@dataclass
class Guest:
    """A guest that boots: where its sshd and its service will answer, on loopback."""

    ssh_port: int
    http_port: int
    key: Path
    logs: Path
    triggers: list[str] = field(default_factory=lambda: ["first"])

    def inputs(self, name: str = "site", **variables: Any) -> dict[str, Any]:
        """Inputs of the resource for the playbook of this name, with further variables."""
        url = f"http://127.0.0.1:{self.http_port}"
        return {
            "name": "vm-1",
            "host": "127.0.0.1",
            "port": self.ssh_port,
            "user": "root",
            "private_key": str(self.key),
            "playbook": str(PLAYBOOKS / f"{name}.yml"),
            "variables": {**VARIABLES, "service_url": url, **variables},
            "digest": "x",
            "triggers": self.triggers,
            "timeout_s": _PATIENCE_S,
            "ssh_timeout_s": _PATIENCE_S,
            "log_dir": str(self.logs),
            "hint": "",
            "console": [],
        }

    def play(self, name: str = "site", **variables: Any) -> dict[str, Any]:
        """Run the playbook by the worker, as the resource does. Raises infra.playbook.PlaybookError."""
        return playbook.run_worker(self.inputs(name, **variables))

    def ssh(self, command: str) -> str:
        """Run a command in the guest."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        words = ["ssh", *options, "-i", str(self.key), "-p", str(self.ssh_port), "root@127.0.0.1", command]
        return subprocess.run(words, capture_output=True, text=True, timeout=240, check=True, encoding="utf-8").stdout


@contextlib.contextmanager
def boot(engine: docker.DockerClient, images: Images, folder: Path) -> Iterator[Guest]:
    """Boot a guest with a fresh overlay and a fresh key; it is gone at the end."""
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    public = base64.b64encode(key.with_suffix(".pub").read_bytes()).decode()
    container = engine.containers.run(
        images.server,
        command=["-euc", _QEMU],
        entrypoint="/bin/sh",
        environment={
            "CMDLINE": "console=ttyS0 root=/dev/vda vvc.hostname=vm-1 vvc.address=10.0.2.15/24 "
            f"vvc.gateway=10.0.2.2 vvc.sshkey={public} quiet rw"
        },
        volumes={str(images.guest_dir): {"bind": "/guest", "mode": "ro"}},
        ports={"22/tcp": ("127.0.0.1", 0), "8000/tcp": ("127.0.0.1", 0)},
        labels=another_checkout.labels_of(folder, "tests-playbooks"),
        init=True,
        detach=True,
    )
    try:
        ssh_port, http_port = _published(container)
        yield Guest(ssh_port, http_port, key, folder / "logs")
    except BaseException:
        (folder / "console.log").write_bytes(container.logs())
        raise
    finally:
        container.remove(force=True, v=True)


def _published(container: Any) -> tuple[int, int]:
    deadline = time.monotonic() + _PORTS_S
    while time.monotonic() < deadline:
        container.reload()
        if container.status == "exited":
            break
        ports = container.ports
        if ports.get("22/tcp") and ports.get("8000/tcp"):
            return int(ports["22/tcp"][0]["HostPort"]), int(ports["8000/tcp"][0]["HostPort"])
        time.sleep(0.1)
    raise AssertionError(f"the guest's container has no published ports: {container.logs()[-500:]!r}")
