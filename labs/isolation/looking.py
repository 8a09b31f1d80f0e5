"""Runs inside a replica: says, as JSON, what it sees and may touch. Sent there as a text; it needs nothing but Python.

It changes nothing: what it may write is asked for and not written, what it may open is closed again, and the clock is
asked whether it may be set without being given a time. Its word is a JSON object, `{"markers": …, "addresses": …}`:
what to look for among the words of all processes, written backwards so that it is not found in the words of who looks,
and where to connect to.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BOUND_S = 90
"""It ends by itself after that, whoever is still there."""

WALK_S = 30.0
CONNECT_S = 2.0
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/vvc/docker.sock", "/run/vvc/libvirt-sock")
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
BLOCK = Path("/sys/class/block")
SETTIMEOFDAY = {"x86_64": 164, "aarch64": 170}
READ_ALL = 3
"""Of klogctl, syslog(2): read what is in the ring."""


def read(path: str) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def tried(act: Callable[[], Any]) -> str:
    """How that went: "" if it did, else the error's name, as "EPERM"."""
    try:
        act()
    except OSError as error:
        return _name(error.errno or 0)
    return ""


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def libc() -> Any:
    """The C library, whose calls leave their error."""
    return ctypes.CDLL(None, use_errno=True)


def called(result: int) -> str:
    """The error of a call of the C library; "" where it had none."""
    return _name(ctypes.get_errno()) if result < 0 else ""


def processes(backwards: list[str]) -> dict[str, Any]:
    """How many there are, the first one's name, and which markers stand among the words of any."""
    pids = [one.name for one in Path("/proc").iterdir() if one.name.isdigit()]
    words = [read(f"/proc/{pid}/cmdline") for pid in pids]
    markers = [one[::-1] for one in backwards]
    return {
        "count": len(pids),
        "first": read("/proc/1/comm"),
        "markers": [one for one in markers if any(one in text for text in words)],
    }


def kernel_log() -> dict[str, Any]:
    """How many bytes of it can be read, and why none."""
    buffer = ctypes.create_string_buffer(1 << 20)
    size = libc().klogctl(READ_ALL, buffer, len(buffer))
    return {"bytes": max(0, size), "refused": called(size)}


def writes(path: Path) -> bool:
    """Whether it may be written: root's right to all files does not make one writable that the kernel only shows."""
    try:
        return bool(path.stat().st_mode & 0o222) and os.access(path, os.W_OK)
    except OSError:
        return False


def settings(root: str, until: float) -> dict[str, Any]:
    """Files below a folder, and which of them may be written as far as modes, mounts and capabilities say."""
    count, whole = 0, True
    writable: list[str] = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in files:
            path = Path(folder, name)
            if path.is_symlink():
                continue
            count += 1
            if writes(path):
                writable.append(str(path))
        if time.monotonic() > until:
            whole = False
            break
    return {"files": count, "writable": len(writable), "some": sorted(writable)[:5], "whole": whole}


def devices() -> Iterator[tuple[str, str, int]]:
    """(path, "block" or "character", number) of each device file in /dev."""
    for folder, _, files in os.walk("/dev"):
        for name in files:
            path = f"{folder}/{name}"
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
                kind = "block" if stat.S_ISBLK(found.st_mode) else "character"
                yield path, kind, found.st_rdev


def opened(path: str) -> str:
    """Whether a device can be opened for reading: how that went."""
    return tried(lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)))


def of_devices() -> dict[str, Any]:
    """Device files, the block devices among them that can be read, and those that this kernel tells of."""
    found = list(devices())
    block = {path: opened(path) for path, kind, _ in found if kind == "block"}
    return {
        "files": sorted(path for path, _, _ in found),
        "block_in_dev": block,
        "block_in_sys": sorted(one.name for one in BLOCK.iterdir()) if BLOCK.is_dir() else [],
    }


def raw_sockets() -> dict[str, str]:
    """Whether packets can be made by hand, and seen as they pass."""
    kinds = {
        "made by hand": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "seen as they pass": (socket.AF_PACKET, socket.SOCK_RAW, 0),
    }
    return {what: tried(lambda words=words: socket.socket(*words).close()) for what, words in kinds.items()}  # type: ignore[misc]


def connected(address: str) -> str:
    """How a connection to HOST:PORT went."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return _name(error.errno or 0)
    return ""


def socket_of(path: str) -> str:
    """How a connection to a Unix socket went."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return tried(lambda: client.connect(path))


def clock() -> dict[str, str]:
    """Whether the clock may be set: the kernel checks that before it looks at the time, of which it is given none."""
    number = SETTIMEOFDAY.get(platform.machine())
    if number is None:
        return {"refused": "not asked on this kind of machine"}
    return {"refused": called(libc().syscall(number, None, None))}


def namespaces() -> dict[str, str]:
    """Kind -> the one that it is in, as "pid:[4026531836]"."""
    links = {name: Path("/proc/self/ns", name) for name in NAMESPACES}
    return {name: str(link.readlink()) for name, link in links.items() if link.is_symlink()}


def status() -> dict[str, str]:
    """What the kernel says of this process: identity, capabilities, filters."""
    wanted = ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "NSpid")
    lines = (line.partition(":") for line in read("/proc/self/status").splitlines())
    return {name: value.strip() for name, _, value in lines if name in wanted}


def look(asked: dict[str, list[str]]) -> dict[str, Any]:
    """All of it."""
    until = time.monotonic() + WALK_S
    return {
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
        "kernel_release": platform.release(),
        "status": status(),
        "uid_map": " ".join(read("/proc/self/uid_map").split()),
        "security_module": read("/proc/self/attr/current"),
        "namespaces": namespaces(),
        "processes": processes(asked["markers"]),
        "users": len(read("/etc/passwd").splitlines()),
        "kernel_log": kernel_log(),
        "modules": len(read("/proc/modules").splitlines()),
        "proc_sys": settings("/proc/sys", until),
        "sys": settings("/sys", until),
        "devices": of_devices(),
        "raw_sockets": raw_sockets(),
        "reached": {address: connected(address) for address in asked["addresses"]},
        "sockets": {path: socket_of(path) for path in SOCKETS if Path(path).exists()},
        "clock": clock(),
    }


if __name__ == "__main__":
    signal.alarm(BOUND_S)
    sys.stdout.write(json.dumps(look(json.loads(sys.argv[1]))) + "\n")
