"""Which accelerator runs guests here, `kvm` or `tcg`: decided by booting the guest's kernel on /dev/kvm.

That /dev/kvm exists and can be written to says little: there are machines on which no stock kernel boots on it.
"""

from __future__ import annotations

import json
import platform
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import docker
from docker.errors import APIError

from infra.bounds import ACCELERATOR
from labkit.setup.building import workshop
from labkit.setup.building.images import Images
from labkit.system import paths
from labkit.system.errors import LabError
from labkit.system.files import write_whole

KVM = Path("/dev/kvm")
MARKER = "vvc-accelerator-works"
_ASSERTION = re.compile(r"(\w+): Assertion ")
"""assert(3)'s words, after the function's name; QEMU ends so where a KVM refuses what it had promised."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# The guest's initrd with one more program, which the kernel starts instead of the usual one. The CPU is the domains'
# (infra.domain.CPU): with another one a KVM may fail where a domain would run, or the other way about.
_SCRIPT = f"""
set -eu
cd /tmp
printf '#!/bin/sh\\necho {MARKER}\\n/bin/busybox reboot -f\\n' > probe
chmod 755 probe
cp /guest/initrd.img initrd
echo probe | cpio -o -H newc --quiet >> initrd
exec timeout "$0" qemu-system-x86_64 -accel kvm -cpu host -machine pc -m 256 \
    -nodefaults -display none -serial stdio -no-reboot \
    -kernel /guest/vmlinuz -initrd initrd -append 'console=ttyS0 panic=-1 quiet rdinit=/probe'
"""


@dataclass(frozen=True)
class Accelerator:
    """What runs guest code here, why, and how long it took to find out."""

    kind: Literal["kvm", "tcg"]
    reason: str
    seconds: float


def probe(engine: docker.DockerClient, images: Images, *, device: Path = KVM, again: bool = False) -> Accelerator:
    """Find out, at most once per boot of this machine and per set of images; `again` asks anew.

    That a kernel did not boot is asked again where the bound ACCELERATOR is above the one of that time.
    """
    if not device.exists():
        return Accelerator("tcg", f"{device} does not exist", 0.0)
    file = paths.cache() / "accelerator.json"
    key = " ".join(
        [platform.release(), _BOOT_ID.read_text(encoding="utf-8").strip(), images.server, images.guest_digest]
    )
    if not again and (known := _load(file, key)) is not None:
        return known
    found, shown = _boot(engine, images, device)
    if shown:
        _save(file, key, found)
    return found


def probed_at() -> str:
    """When a kernel was last booted to find out, in words."""
    try:
        seconds = (paths.cache() / "accelerator.json").stat().st_mtime
    except OSError:
        return "by another account"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def judge(status: int, output: str, device: Path = KVM) -> tuple[Literal["kvm", "tcg"], str]:
    """What a boot on the device shows, from QEMU's exit status (124: the deadline) and the console."""
    if MARKER in output:
        return "kvm", f"the guest's kernel boots on {device}"
    if status == 124:  # noqa: PLR2004 - the status of timeout(1)
        return "tcg", f"{device} exists, but the guest's kernel did not boot on it within {ACCELERATOR.seconds} s"
    told = [line.strip() for line in output.splitlines() if line.strip()] or [f"it ended with status {status}"]
    if failed := _ASSERTION.search(told[-1]):
        return "tcg", f"{device} exists, but no CPU like this machine's own runs on it (QEMU's {failed[1]} fails)"
    return "tcg", f"QEMU cannot use {device}: {told[-1]}"


def _boot(engine: docker.DockerClient, images: Images, device: Path) -> tuple[Accelerator, bool]:
    """What was found, and whether a boot has shown it: an engine that refused says nothing about the device."""
    begin = time.monotonic()
    shown = True
    try:
        status, output = workshop.run(
            engine,
            images.server,
            ["sh", "-c", _SCRIPT, str(ACCELERATOR.seconds)],
            folders={images.guest_dir: "/guest"},
            devices=[str(device)],
            within_s=ACCELERATOR.seconds + 20,
        )
    except APIError as error:
        # The engine that cannot hand over the device refuses as well: that much is tcg for now, and asked again.
        shown = False
        kind, reason = "tcg", f"{device} could not be tried: {str(error).splitlines()[0]}"
    except LabError as error:
        kind, reason = "tcg", f"{device} could not be tried: {str(error).splitlines()[0]}"
    else:
        kind, reason = judge(status, output, device)
    return Accelerator("kvm" if kind == "kvm" else "tcg", reason, round(time.monotonic() - begin, 1)), shown


def _load(file: Path, key: str) -> Accelerator | None:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        known = Accelerator(**facts["accelerator"])
        holds = known.kind == "kvm" or facts["within_s"] >= ACCELERATOR.seconds
        return known if facts["key"] == key and holds else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _save(file: Path, key: str, accelerator: Accelerator) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    facts = {"key": key, "within_s": ACCELERATOR.seconds, "accelerator": asdict(accelerator)}
    write_whole(file, json.dumps(facts, indent=2) + "\n")
