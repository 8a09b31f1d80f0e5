"""The base root file system: a minimal Debian, from the engine's registry or from Debian's packages."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from labkit import images_engine, shell
from labkit.errors import LabError
from labkit.images_digest import DIGITS, file_digest
from labkit.progress import Report

RELEASE = "trixie"
"""Debian release of servers, guests and containers."""

REGISTRY_IMAGE = f"debian:{RELEASE}-slim"
_REACH_WITHIN_S = 10
_BOOTSTRAP_WITHIN_S = 1200

# Left out of every package that is ever installed, as in the registry's slim image; copyright files stay.
_LEFT_OUT = ("doc/*", "info/*", "linda/*", "lintian/*", "locale/*", "man/*")


@dataclass(frozen=True)
class Base:
    """A base root file system in the cache. `digest` names its content."""

    rootfs: Path
    digest: str
    source: str
    """`registry` or `mmdebstrap`."""

    @property
    def size_mib(self) -> int:
        """Size of the root file system as a tar file."""
        return round(self.rootfs.stat().st_size / 2**20)


def load(folder: Path) -> Base | None:
    """The base root file system in this folder of the cache, if there is one."""
    try:
        facts = json.loads((home(folder) / "base.json").read_text())
        return Base(home(folder) / "rootfs.tar", digest=facts["digest"], source=facts["source"])
    except (OSError, ValueError, KeyError):
        return None


def make(engine: docker.DockerClient, folder: Path, report: Report) -> Base:
    """Get a base root file system into this folder of the cache: from the registry if it answers, else bootstrapped."""
    draft = folder / f"draft-{home(folder).name}"
    draft.mkdir()
    rootfs = draft / "rootfs.tar"
    if _from_registry(engine, rootfs, report):
        source = "registry"
    else:
        _bootstrap(rootfs, report)
        source = "mmdebstrap"
    (draft / "base.json").write_text(json.dumps({"digest": file_digest(rootfs), "source": source}) + "\n")
    if home(folder).exists():
        shutil.rmtree(home(folder))
    draft.rename(home(folder))
    base = load(folder)
    if base is None or len(base.digest) != DIGITS:
        raise LabError(f"The base root file system in {home(folder)} is not readable")
    return base


def home(folder: Path) -> Path:
    """Where it lies in this folder of the cache."""
    return folder / f"base-{RELEASE}"


def _from_registry(engine: docker.DockerClient, rootfs: Path, report: Report) -> bool:
    """Whether the registry's image could be had; it is then in `rootfs`."""
    report.detail(f"asking the registry for {REGISTRY_IMAGE}")
    usual, engine.api.timeout = engine.api.timeout, _REACH_WITHIN_S
    try:
        engine.api.inspect_distribution(REGISTRY_IMAGE)  # type: ignore[no-untyped-call]  # missing in the stubs
    except (DockerException, RequestException):
        return False
    finally:
        engine.api.timeout = usual
    try:
        images_engine.pull(engine, REGISTRY_IMAGE, report)
        images_engine.export_rootfs(engine, REGISTRY_IMAGE, rootfs)
    except (DockerException, RequestException) as error:
        report.line(f"The registry's {REGISTRY_IMAGE} could not be had ({error}): bootstrapping instead")
        return False
    return True


def _bootstrap(rootfs: Path, report: Report) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LabError(
            f"The engine's registry does not hand out {REGISTRY_IMAGE}, and mmdebstrap, which could make the base "
            "root file system instead, is not installed",
            hint="Install it: sudo apt-get install mmdebstrap",
        )
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _LEFT_OUT]
    keep = "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    shell.run(
        ["mmdebstrap", "--variant=minbase", "--format=tar", *leave_out, keep, RELEASE, rootfs],
        timeout_s=_BOOTSTRAP_WITHIN_S,
        on_line=report.detail,
        problem=f"Debian {RELEASE} could not be bootstrapped",
        hint="See that Debian's packages can be reached: apt-get update",
    )
