"""The machine box: what a number must be read with."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from infra import facts
from labkit.setup import Ready


def machine_box(ready: Ready) -> dict[str, Any]:
    """CPU, memory, kernel, accelerator and versions of this machine."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memory_mib": facts.memory_mib(Path("/proc/meminfo").read_text()),
        "load_1min": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "accelerator": ready.machine.accelerator,
        "accelerator_reason": ready.machine.accelerator_reason,
        "cgroup_version": ready.machine.cgroup_version,
        "engine": ready.engine.version,
        "pulumi": ready.toolchain.version,
        "python": platform.python_version(),
        "guest_digest": ready.machine.guest_digest,
        "container_digest": ready.machine.container_digest,
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"
