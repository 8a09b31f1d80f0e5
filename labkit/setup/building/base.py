"""The base root file system: a minimal Debian, from the engine's registry or from Debian's packages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from labkit.setup import _apt_says
from labkit.setup.building import _bootstrap, workshop
from labkit.setup.building._context import DIGITS, file_digest, settle
from labkit.system.errors import LabError
from labkit.system.progress import Progress

RELEASE = "trixie"
"""Debian release of servers, guests and containers."""

REGISTRY_IMAGE = f"debian:{RELEASE}-slim"


@dataclass(frozen=True)
class Base:
    """A base root file system in the cache. `digest` names its content."""

    rootfs: Path
    digest: str
    source: str
    """`registry`, `engine` (it had the registry's image already) or `mmdebstrap`."""

    @property
    def size_mib(self) -> int:
        """Size of the root file system as a tar file."""
        return round(self.rootfs.stat().st_size / 2**20)


def load(folder: Path) -> Base | None:
    """The base root file system in this folder of the cache, if there is one."""
    try:
        facts = json.loads((home(folder) / "base.json").read_text(encoding="utf-8"))
        return Base(home(folder) / "rootfs.tar", digest=facts["digest"], source=facts["source"])
    except (OSError, ValueError, KeyError):
        return None


def make(engine: docker.DockerClient, folder: Path, progress: Progress, prepare: Callable[[], None]) -> Base:
    """Get a base root file system into this folder of the cache: from the registry, from the engine, or bootstrapped.

    `prepare` installs what bootstrapping needs; it is called when the registry has refused.
    """
    draft = folder / f"draft-{home(folder).name}"
    draft.mkdir()
    rootfs = draft / "rootfs.tar"
    source, refusal = "registry", _from_registry(engine, rootfs, progress)
    if refusal:
        source = "engine" if _from_engine(engine, rootfs, progress) else "mmdebstrap"
    if source == "mmdebstrap":
        _second_way(engine, rootfs, refusal, prepare, progress)
    (draft / "base.json").write_text(
        json.dumps({"digest": file_digest(rootfs), "source": source}) + "\n", encoding="utf-8"
    )
    settle(draft)
    if home(folder).exists():
        shutil.rmtree(home(folder))
    draft.rename(home(folder))
    base = load(folder)
    if base is None or len(base.digest) != DIGITS:
        raise LabError(
            f"The base root file system in {home(folder)} is not readable",
            hint="look whose it is: ls -l, or remove it: ./lab clean --cache",
        )
    return base


def home(folder: Path) -> Path:
    """Where it lies in this folder of the cache."""
    return folder / f"base-{RELEASE}"


def _from_registry(engine: docker.DockerClient, rootfs: Path, progress: Progress) -> str:
    """Why the registry's image could not be had; "" if it is in `rootfs` now."""
    progress.detail(f"asking the registry for {REGISTRY_IMAGE}")
    try:
        workshop.pull(engine, REGISTRY_IMAGE, progress)
        workshop.export_rootfs(engine, REGISTRY_IMAGE, rootfs)
    except LabError as error:
        return error.problem
    return ""


def _from_engine(engine: docker.DockerClient, rootfs: Path, progress: Progress) -> bool:
    """Whether the engine has the image already, as where somebody has loaded it; it is then in `rootfs`."""
    if workshop.image_id(engine, REGISTRY_IMAGE) is None:
        return False
    progress.line(f"The engine has {REGISTRY_IMAGE} itself: taking that")
    workshop.export_rootfs(engine, REGISTRY_IMAGE, rootfs)
    return True


def _second_way(
    engine: docker.DockerClient, rootfs: Path, refusal: str, prepare: Callable[[], None], progress: Progress
) -> None:
    """The second way, prepared now that the first has failed."""
    progress.line(f"The engine's registry does not hand out {REGISTRY_IMAGE}: {refusal}")
    progress.line("Making it from Debian's packages instead")
    unprepared, hint = "", ""
    try:
        prepare()
    except LabError as error:
        # In a container it may still be possible.
        unprepared, hint = error.problem, error.hint
    try:
        _bootstrap.make(engine, RELEASE, rootfs, progress)
    except LabError as error:
        reasons = "\n".join(filter(None, (unprepared, error.problem)))
        hint = hint or error.hint
        raise LabError(
            f"The images' base cannot be had.\nThe registry: {refusal}\nDebian's packages: {reasons}",
            hint=hint if _apt_says.CLASS_FILE in hint else f"{hint}; or {_apt_says.CLASS_FILE}",
        ) from error
