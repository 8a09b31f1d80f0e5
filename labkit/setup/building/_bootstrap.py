"""The base root file system out of Debian's packages, by mmdebstrap: as this user, as root, or in a container."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import docker

from infra.plan import PROJECT
from labkit.setup import _apt_says, _downloads
from labkit.setup.building import workshop
from labkit.system import root, shell
from labkit.system.errors import CommandError, LabError
from labkit.system.progress import Progress

_WITHIN_S = 1200
_UMASK = 0o022

# Left out of every package that is ever installed, as in the registry's slim image; copyright files stay.
_LEFT_OUT = ("doc/*", "info/*", "linda/*", "lintian/*", "locale/*", "man/*")
_APT = ('Acquire::Retries "2"', 'Acquire::http::Timeout "20"')

_WORKSHOPS = (f"{PROJECT}/server", f"{PROJECT}/base", f"{PROJECT}/container", "debian")
"""Images with Debian's apt, in one of which mmdebstrap can run where this user may not."""

_AS_ROOT = 'file=$1 owner=$2; shift 2; "$@" && chown "$owner" "$file"'
_IN_WORKSHOP = """set -e
export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
command -v mmdebstrap > /dev/null || {
    apt-get update -q --error-on=any
    apt-get install -y -q --no-install-recommends mmdebstrap debian-archive-keyring
}
"$@"
"""


def make(engine: docker.DockerClient, release: str, rootfs: Path, progress: Progress) -> None:
    """Write the root file system of a Debian release into a tar file. Raises LabError: why no way leads there."""
    proxies = _downloads.here(engine)
    told: list[str] = []

    def alone() -> None:
        shell.run(command(release, rootfs), timeout_s=_WITHIN_S, env=proxies, umask=_UMASK, on_line=progress.detail)

    def as_root() -> None:
        owner = f"{os.getuid()}:{os.getgid()}"
        words = ["sh", "-c", _AS_ROOT, "sh", str(rootfs), owner, *command(release, rootfs)]
        root.run(words, timeout_s=_WITHIN_S, env=proxies, umask=_UMASK, on_line=progress.detail)

    def in_container() -> None:
        _in_container(engine, release, rootfs, proxies)

    ways: list[tuple[str, Callable[[], None]]] = [("in a container", in_container)]
    if shutil.which("mmdebstrap") is not None:
        ways = [("mmdebstrap", alone), *([("mmdebstrap as root", as_root)] if os.geteuid() != 0 else []), *ways]
    hint = ""
    for name, way in ways:
        rootfs.unlink(missing_ok=True)
        progress.detail(name)
        try:
            way()
        except LabError as error:
            found = fault(error)
            told.append(f"{name}: {found.sentence}")
            # What is told first is the machine's own; only for want of rights another way is worth its time.
            hint = hint or (found.hint if found.kind != "privileges" else "")
            if found.kind != "privileges":
                break
        else:
            return
    raise LabError("\n".join(told), hint=hint or _apt_says.CLASS_FILE)


def command(release: str, rootfs: Path | str) -> list[str]:
    """mmdebstrap's words."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        *(f"--aptopt={option}" for option in _APT),
        *(f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        release,
        str(rootfs),
    ]


def fault(error: LabError) -> _apt_says.Fault:
    """Why a way failed; where it could not even begin, that is for want of rights."""
    if isinstance(error, CommandError):
        outcome = error.outcome
        if outcome.timed_out:
            return _apt_says.Fault("slow", outcome.ending, f"It {outcome.ending}", _apt_says.CLASS_FILE)
        return _apt_says.fault(outcome.output)
    return _apt_says.Fault("privileges", error.problem, error.problem, error.hint)


def image_with_apt(engine: docker.DockerClient) -> str | None:
    """An image of this engine in which apt works, if it has one."""
    tags = sorted(tag for image in engine.images.list() for tag in image.tags)
    return next((tag for name in _WORKSHOPS for tag in tags if tag.rsplit(":", 1)[0] == name), None)


def _in_container(engine: docker.DockerClient, release: str, rootfs: Path, proxies: Mapping[str, str]) -> None:
    image = image_with_apt(engine)
    if image is None:
        raise LabError("the engine has no image of a Debian in which it could be done", hint=_apt_says.CLASS_FILE)
    workshop.run(
        engine,
        image,
        ["sh", "-c", _IN_WORKSHOP, "sh", *command(release, f"/out/{rootfs.name}")],
        folders={},
        out=(rootfs.parent, "/out"),
        network="host",
        environment=proxies,
        may=["SYS_ADMIN", "MKNOD"],
        within_s=_WITHIN_S,
    )
