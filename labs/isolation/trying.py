"""Runs inside a replica: makes five well-known attempts to get out, none of which does harm if it goes through.

Sent there as a text; it needs nothing but Python, and prints JSON. What goes through has no effect: a hierarchy of
control groups without controllers that is gone at once, a file system that is mounted anyway and only read, the key
that prints help, a module that is none, a value that is there already. Its word is a JSON object, such as
`{"device": "8:1", "kind": "ext4"}`: the number of the block device that its server's files lie on, and the kind of file
system on it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUND_S = 60
"""It ends by itself after that, whoever is still there."""

HIERARCHY = "none,name=vvc-try"
NOTHING = 1 | 2 | 4 | 8
"""Of mount(2): read only, no setuid, no devices, no programs."""

FINIT_MODULE = {"x86_64": 313, "aarch64": 273}
NO_MODULE = b"no module"
HELP = b"h"
SYSRQ, CORE = "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"


class StoppedError(Exception):
    """An attempt came so far: the step, and the error's name."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(step)
        self.step, self.error = step, errno.errorcode.get(number, str(number))


def step(name: str, act: Callable[[], Any], passes: tuple[int, ...] = ()) -> Any:
    """What a step gives. Raises StoppedError, unless its error says that it went through."""
    try:
        return act()
    except OSError as error:
        if error.errno in passes:
            return None
        raise StoppedError(name, error.errno or 0) from error


def call(name: str, *words: Any) -> None:
    """A call of the C library. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words) < 0:
        raise OSError(ctypes.get_errno(), name)


def mount(source: str, folder: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    call("mount", source.encode(), folder.encode(), kind.encode(), flags, data.encode())


def written(path: str, text: bytes) -> None:
    """Write a file of the kernel's."""
    file = step("open", lambda: os.open(path, os.O_WRONLY))
    try:
        step("write", lambda: os.write(file, text))
    finally:
        os.close(file)


def release_agent(folder: str, _asked: dict[str, str]) -> None:
    """The program that the kernel starts as root when a control group of version 1 is empty: named as it is named."""
    step("mount", lambda: mount("none", folder, "cgroup", 0, HIERARCHY))
    try:
        agent = f"{folder}/release_agent"
        written(agent, step("read", Path(agent).read_bytes) or b"\n")
    finally:
        call("umount2", folder.encode(), 0)


def servers_disk(folder: str, asked: dict[str, str]) -> None:
    """The disk that the server's files lie on: its device file made, opened and mounted, to be read only."""
    major, _, minor = asked["device"].partition(":")
    if int(major or 0) == 0:
        raise StoppedError("find", errno.ENODEV)
    device, point = f"{folder}/disk", f"{folder}/files"
    Path(point).mkdir()
    step("device file", lambda: os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor))))
    try:
        os.close(step("open", lambda: os.open(device, os.O_RDONLY)))
        # EBUSY: the kernel has it mounted already, in another way.
        step("mount", lambda: mount(device, point, asked["kind"], NOTHING), (errno.EBUSY,))
        ctypes.CDLL(None).umount2(point.encode(), 0)
    finally:
        Path(device).unlink()


def sysrq(_folder: str, _asked: dict[str, str]) -> None:
    """The keys by which a kernel is told to sync, to reboot, to crash: the one that prints help."""
    written(SYSRQ, HELP)


def module(folder: str, _asked: dict[str, str]) -> None:
    """Code for the kernel: a file that is no module. That the kernel reads it so far as to see that is the answer."""
    file = Path(folder, "module")
    file.write_bytes(NO_MODULE)
    number = FINIT_MODULE.get(platform.machine())
    if number is None:
        raise StoppedError("find", errno.ENOSYS)
    with file.open("rb") as opened:
        step("load", lambda: call("syscall", number, opened.fileno(), b"", 0), (errno.ENOEXEC,))


def core_pattern(_folder: str, _asked: dict[str, str]) -> None:
    """The program that the kernel starts as root when a process crashes: named as it is named."""
    written(CORE, step("read", Path(CORE).read_bytes))


ATTEMPTS: dict[str, Callable[[str, dict[str, str]], None]] = {
    "release_agent": release_agent,
    "disk": servers_disk,
    "sysrq": sysrq,
    "module": module,
    "core_pattern": core_pattern,
}


def attempt(act: Callable[[str, dict[str, str]], None], asked: dict[str, str]) -> dict[str, str]:
    """At which step it was stopped, and by which error; both empty where it went through."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            act(folder, asked)
        except StoppedError as stopped:
            return {"step": stopped.step, "error": stopped.error}
    return {"step": "", "error": ""}


def status() -> dict[str, str]:
    """What the kernel says of this process: user, capabilities, filter."""
    wanted = ("Uid", "CapEff", "Seccomp")
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return {name: value.strip() for name, _, value in lines if name in wanted}


def main(asked: dict[str, str]) -> dict[str, Any]:
    """All attempts, and what is needed to say why each ended as it did."""
    return {
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip(),
        "status": status(),
        "security_module": read("/proc/self/attr/current"),
        "attempts": {name: attempt(act, asked) for name, act in ATTEMPTS.items()},
    }


def read(path: str) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    signal.alarm(BOUND_S)
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
