"""Processes and mounts of Docker Engines, read from /proc."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from labkit.system.errors import LabError
from labkit.system.processes import alive, command_line
from labkit.system.waiting import until

_PROC = Path("/proc")
_MACHINE_PIDFILE = Path("/var/run/docker.pid")
_END_S = 10.0
_V1_NEEDED = {"devices", "memory", "cpu"}
"""Controllers without which dockerd does not start (devices), or limits cannot be kept, on cgroup v1."""


def dockerd(pidfile: Path) -> int | None:
    """The process id of the dockerd that was started with this pidfile, if it runs."""
    found = (pid for pid, words in _everything() if is_dockerd(words, str(pidfile)))
    return next(found, None)


def is_dockerd(words: Sequence[str], pidfile: str) -> bool:
    """Whether a command line is a dockerd's with that pidfile."""
    return bool(words) and Path(words[0]).name == "dockerd" and (pidfile in words or f"--pidfile={pidfile}" in words)


def other_dockerds(pidfile: Path) -> list[int]:
    """Other dockerds of this network namespace; those inside servers have their own."""
    return [
        pid
        for pid, words in _everything()
        if words and Path(words[0]).name == "dockerd" and not is_dockerd(words, str(pidfile)) and _same_network(pid)
    ]


def _same_network(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "ns/net").readlink() == (_PROC / "self/ns/net").readlink()
    except PermissionError:  # not root: only the machine's own engine is known by its file
        return _MACHINE_PIDFILE.exists() and _MACHINE_PIDFILE.read_text(encoding="utf-8").strip() == str(pid)
    except OSError:
        return False


def end_orphans(exec_root: Path) -> None:
    """Kill the containerd, the shims and the containers that a killed dockerd with this exec root left running."""
    if dockerd(exec_root.parent / "docker.pid") is not None:
        raise LabError(f"dockerd still runs with {exec_root}.", hint="./lab engine --stop")
    mark = f"{exec_root}/containerd/"
    ours = [
        pid
        for pid, words in _everything()
        if words and Path(words[0]).name.startswith("containerd") and any(word.startswith(mark) for word in words)
    ]
    # A container outlives its shim: so its first process, the shim's child, comes first.
    victims = [pid for pid, _ in _everything() if _parent(pid) in ours and pid not in ours] + ours
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not until(lambda: not any(alive(pid) for pid in victims), _END_S):
        raise LabError(f"Processes of a killed Docker Engine do not end: {victims}", hint="./lab doctor")


def cgroup_problem(mountinfo: str) -> str:
    """Pure: why containers cannot be kept apart with the cgroup file systems that are mounted; "" if they can."""
    v1: set[str] = set()
    for line in mountinfo.splitlines():
        kind, _, options = line.partition(" - ")[2].partition(" ")
        if kind == "cgroup2" and line.split()[4] == "/sys/fs/cgroup":
            return ""
        if kind == "cgroup":
            v1 |= set(options.split()[-1].split(","))
    lacking = ", ".join(sorted(_V1_NEEDED - v1))
    return f"The cgroup file systems are not mounted, or not all of them; missing: {lacking}." if lacking else ""


def _parent(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _everything() -> Iterator[tuple[int, tuple[str, ...]]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            pid = int(folder.name)
            yield pid, command_line(pid)
