"""The machine box: what a number must be read with."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from infra import facts
from labkit.lifecycle.set_up import Ready
from labkit.setup.building import base as images_base
from labkit.setup.building import images
from labkit.sides import Runner

_SERVER = {
    "qemu": "qemu-system-x86_64 --version | sed -n '1s/.*version //p'",
    "libvirt": "virsh --version",
    "server_engine": "docker version --format '{{.Server.Version}}'",
    "server_debian": "cat /etc/debian_version",
}
"""Name in the box -> script whose output is the version."""


def machine_box(ready: Ready) -> dict[str, Any]:
    """CPU, memory, kernel, accelerator and versions of this machine."""
    base = images_base.load(images.folder())
    return {
        **laptop_box(),
        "accelerator": ready.machine.accelerator,
        "accelerator_reason": ready.machine.accelerator_reason,
        "cgroup_version": ready.machine.cgroup_version,
        "engine": ready.machine.engine_version,
        "pulumi": ready.toolchain.version,
        "base_image": "unknown" if base is None else f"{images_base.RELEASE} {base.digest} from {base.source}",
        "guest_digest": ready.machine.guest_digest,
        "container_digest": ready.machine.container_digest,
    }


def laptop_box() -> dict[str, Any]:
    """The part of the machine box that needs no set-up."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "cores": _cores(),
        "memory_mib": facts.memory_mib(Path("/proc/meminfo").read_text(encoding="utf-8")),
        "load_1min": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def server_box(run: Runner) -> dict[str, str]:
    """Versions of what a server runs, from itself: QEMU, libvirt, its engine, its Debian."""
    return {name: run(["sh", "-c", script]).output.strip() for name, script in _SERVER.items()}


def _cores() -> int:
    """Physical cores; as many as CPUs where the kernel does not tell (proc(5): physical id, core id)."""
    fields = [line.partition(":") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()]
    sockets = [value.strip() for name, _, value in fields if name.strip() == "physical id"]
    cores = [value.strip() for name, _, value in fields if name.strip() == "core id"]
    return len(set(zip(sockets, cores, strict=False))) or os.cpu_count() or 1


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"
