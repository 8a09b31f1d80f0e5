"""Mounts below a folder, and how they go."""

from __future__ import annotations

import re
from pathlib import Path

from labkit.system import root, shell
from labkit.system.errors import LabError

_MOUNTINFO = Path("/proc/self/mountinfo")
_UMOUNT_S = 30


def unmount(folder: Path) -> None:
    """Unmount all that an engine mounted on or below a folder, innermost first."""
    for _ in range(3):  # a mount may lie on another
        below = mounts_below(_MOUNTINFO.read_text(encoding="utf-8"), str(folder))
        if not below:
            return
        for mount in below:
            shell.run([root.which("umount") or "umount", "-l", mount], timeout_s=_UMOUNT_S, check=False)
    raise LabError(f"Something stays mounted below {folder}: {', '.join(below)}", hint=f"umount {below[0]}")


def mounts_below(mountinfo: str, folder: str) -> list[str]:
    """Pure: mount points below a folder, the innermost first; the folder itself where it is bound to itself.

    dockerd does that with its data root. A file system of a person's that is mounted there is not ours to unmount.
    """
    found: list[str] = []
    for line in mountinfo.splitlines():
        within, point = (re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), word) for word in line.split()[3:5])
        bound_to_itself = point == folder and within != "/" and folder.endswith(within)
        if bound_to_itself or point.startswith(f"{folder}/"):
            found.append(point)
    return found[::-1]
