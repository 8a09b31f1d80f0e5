"""Set-up from one file, for a class without a network: what goes into it, and how it comes into the cache.

In it: Python wheels, toolchain, images, those of servers as `docker save` writes them, kernels. Not in it: Debian
packages, Docker Engine among them; each machine needs those from its own Debian.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker

from infra import environment, source
from labkit.setup import _downloads
from labkit.setup.building import base as images_base
from labkit.setup.building import images
from labkit.setup.offline import _archive
from labkit.setup.offline import _wheels as offline_wheels
from labkit.setup.offline._archive import Manifest
from labkit.setup.tools import build, release, toolchain
from labkit.system import paths, shell
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Progress

_WHEELS_S = 15 * 60
_QUICK_S = 20
_ROOM = 2.2
"""Folders of the cache, and for a while their copies: free space asked for, in sizes of the file's parts."""


def made_for(base_digest: str) -> Mapping[str, str]:
    """What a file must have been made for, to be of use here: pins, recipes, Python, architecture."""
    return {
        **offline_wheels.made_for(CHECKOUT),
        "pulumi": build.key(["cli"]),
        "plugins": build.key(["plugin", *build.PLUGINS]),
        "base": base_digest,
        "images": images.recipes_digest(base_digest),
    }


def export(engine: docker.DockerClient, target: Path, progress: Progress) -> Manifest:
    """Write all that this machine's set-up has into a file. Raises LabError where something cannot be had."""
    if target.exists():
        raise LabError(f"{target} is there already.", hint="name another file, or remove it")
    if not target.resolve().parent.is_dir():
        raise LabError(f"{target}: there is no folder {target.resolve().parent}.", hint="make it first")
    found = images.find(engine)
    base = images_base.load(images.folder())
    if found is None or base is None or not images.cluster(engine):
        raise LabError("This machine is not set up itself: its images are not ready.", hint="./lab setup")
    with progress.step("Python packages as wheels"):
        wheels = _make_wheels(progress)
    with progress.step("Images of servers"):
        images.keep(engine, found)
    folders = [wheels, *_toolchain(), *images.folders(found), *sorted((paths.cache() / "kernels").glob("*"))]
    with progress.step(f"Digests of {len(folders)} folders"):
        sources = {path: file for folder in folders for path, file in _files(folder)}
        parts = tuple(_archive.part(file, path) for path, file in sources.items())
    manifest = Manifest(made_for(base.digest), parts, source.commit(CHECKOUT))
    with progress.step(f"Writing {target}"):
        _archive.write(target, manifest, sources, progress.detail)
    return manifest


def bring(file: Path, progress: Progress) -> Manifest:
    """Take what is missing here out of a file, into the cache. Raises LabError; then nothing was taken.

    What the cache has already stays. Safe to interrupt: each folder comes by one rename, after all were checked.
    """
    manifest = _archive.read(file)
    wanted = made_for(manifest.made_for.get("base", ""))
    _archive.check_made_for(manifest, wanted, file)
    cache = paths.cache()
    here = images_base.load(images.folder())
    if here is not None and here.digest != manifest.made_for["base"]:
        raise LabError(
            f"The images in {cache} were made from another base root file system than those in {file}.",
            hint="go on with those, by ./lab setup; or remove them first: ./lab clean --cache",
        )
    missing = [name for name in _folders(manifest) if not (cache / name).is_dir()]
    if not missing:
        progress.line(f"All of {file} is in {cache} already")
        return manifest
    cache.mkdir(parents=True, exist_ok=True)
    for leftover in cache.glob(".import-*"):  # of an import that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    free = shutil.disk_usage(cache).free
    if free < manifest.bytes * _ROOM:
        raise LabError(
            f"{file} needs {manifest.bytes * _ROOM / 2**30:.1f} GiB in {cache}; {free / 2**30:.1f} GiB are free.",
            hint="free some space, or put the caches elsewhere: VVC_CACHE=FOLDER ./lab setup --import FILE",
        )
    with tempfile.TemporaryDirectory(prefix=".import-", dir=cache) as draft:
        with progress.step(f"Checking and unpacking {file}"):
            _archive.unpack(file, Path(draft), wanted, detail=progress.detail)
        for name in missing:
            offline_wheels.place(Path(draft) / name, cache / name)
            progress.line(f"  {name}")
    return manifest


def _folders(manifest: Manifest) -> list[str]:
    """Folders of the cache that the file fills: two levels deep, such as toolchain/cli-1234."""
    return list(dict.fromkeys("/".join(part.path.split("/")[:2]) for part in manifest.parts))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    # A PULUMI_HOME also holds whatever Pulumi noted there, an account's token included.
    inside = folder / "plugins"
    for file in sorted((inside if inside.is_dir() else folder).rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(paths.cache()).as_posix(), file


def _toolchain() -> list[Path]:
    """Folders of the pinned toolchain that this machine has."""
    program, plugins = build.cli(), build.plugins()
    found = [*([program.parent] if program else []), *([plugins] if plugins else [])]
    if release.ready() is not None:
        found += [release.folder_of_release(), *([release.home()] if release.home().is_dir() else [])]
    ours = toolchain.find()
    if ours is None or not (program or release.ready()):
        raise LabError(
            "The file would have no Pulumi: this machine uses one of its own.",
            hint="set up once without it on the PATH, then export: PATH=/usr/bin:/bin ./lab setup",
        )
    return found


def _make_wheels(progress: Progress) -> Path:
    """The folder of wheels, made by pip from what requirements.txt pins, unless it is there."""
    target = offline_wheels.folder(CHECKOUT, paths.cache())
    if offline_wheels.ready(CHECKOUT, paths.cache()) is not None:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as draft:
        new = Path(draft) / target.name
        words = ["wheel", "--disable-pip-version-check", "--no-input", "--require-hashes", "--wheel-dir", str(new)]
        shell.run(
            [sys.executable, "-m", "pip", *words, "-r", CHECKOUT / "requirements.txt"],
            timeout_s=_WHEELS_S,
            gets=environment.for_pip,
            env=_downloads.trusting(os.environ),
            on_line=progress.detail,
            problem="The Python packages could not be had as wheels",
            hint="check the network, then run it again",
        )
        (new / offline_wheels.LIST).write_text(_pinned(new), encoding="utf-8")
        offline_wheels.place(new, target)
    return target


def _pinned(folder: Path) -> str:
    """Requirements that name exactly the wheels of a folder, by their hashes."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{_archive.digest(wheel)}\n")
    return "".join(lines)
