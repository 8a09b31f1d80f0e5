"""The images that a lab starts from: server (container image), guest (disk image, kernel, initrd), container base.

Everything is named by a digest of its recipe and of what it is built from, so that it is rebuilt only on change.
Files lie in the cache, container images in the engine; what either has lost is made again. Nothing is ever
half-written: files are made in a temporary folder and renamed, images are tagged when they are complete.

    recipe -> base (root file system) -> server        -> cluster (where a lab has clusters)
                                      -> container base -> guest
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from infra.plan import PROJECT
from labkit.setup import _downloads
from labkit.setup.building import base as images_base
from labkit.setup.building import workshop
from labkit.setup.building._context import digest, files, settle
from labkit.system import paths
from labkit.system.errors import LabError
from labkit.system.locks import held
from labkit.system.progress import Progress, Quiet

RECIPES = paths.CHECKOUT / "images"
"""Recipes: one folder an image, and the list of the service's Debian packages."""

PACKAGES = "service-packages.txt"
APT = "apt.conf"
"""How apt in a build behaves: it ends at its first cause."""

CERTIFICATES = "certificates.crt"
"""This machine's certificates, as apt in a build finds them; not part of what a digest is of."""
GUEST_FILES = ("disk.qcow2", "vmlinuz", "initrd.img")
CONTAINER_FILES = ("Dockerfile", "rootfs.tar.gz")
IMAGE_FILE = "image.tar.gz"
"""A server's image as an engine writes and loads it; in the cache only for export and by import."""

_ASSEMBLE_WITHIN_S = 600
_CHUNK = 1024**2
_LOCK_WITHIN_S = 1800
"""Longer than all the images take on a slow machine: another checkout may be building them."""


@dataclass(frozen=True)
class Images:
    """Where the images are. Digests name what each was made from."""

    base: str
    """Tag of the base image; the engine has it only where something was built from it."""
    source: str
    """Where the base root file system came from: `registry`, `engine` or `mmdebstrap`."""
    server: str
    """ID of the server image in the engine."""
    server_tag: str
    cluster_tag: str
    """Tag of the image of a cluster's servers, which the engine has once a lab had clusters: see ensure_cluster."""
    guest_dir: Path
    """Folder with disk.qcow2, vmlinuz and initrd.img."""
    guest_digest: str
    container_dir: Path
    """Build context of the container base image: Dockerfile and rootfs.tar.gz."""
    container_digest: str


@dataclass(frozen=True)
class _Keys:
    """Names of everything, from the recipes and the base root file system alone."""

    base: str
    server: str
    container: str
    guest: str

    @property
    def cluster(self) -> str:
        """On the server image; it is made when the first lab with clusters is set up."""
        return digest(RECIPES / "cluster", RECIPES / APT, salt=self.server)

    @property
    def base_tag(self) -> str:
        return f"{PROJECT}/base:{self.base}"

    @property
    def server_tag(self) -> str:
        return f"{PROJECT}/server:{self.server}"

    @property
    def cluster_tag(self) -> str:
        return f"{PROJECT}/cluster:{self.cluster}"

    @property
    def container_tag(self) -> str:
        return f"{PROJECT}/container:{self.container}"

    @property
    def guest_tag(self) -> str:
        return f"{PROJECT}/guest:{self.guest}"


def folder() -> Path:
    """Folder of the images in the cache."""
    return paths.cache() / "images"


def find(engine: docker.DockerClient) -> Images | None:
    """The images if all of them are ready, else None. Fast: reads the recipes, asks the engine once."""
    base = images_base.load(folder())
    if base is None:
        return None
    keys = _keys(base)
    server = workshop.image_id(engine, keys.server_tag)
    guest_dir, container_dir = _guest_dir(keys), _container_dir(keys)
    if server is None or not guest_dir.is_dir() or not container_dir.is_dir():
        return None
    return Images(
        base=keys.base_tag,
        source=base.source,
        server=server,
        server_tag=keys.server_tag,
        cluster_tag=keys.cluster_tag,
        guest_dir=guest_dir,
        guest_digest=keys.guest,
        container_dir=container_dir,
        container_digest=keys.container,
    )


def ensure(engine: docker.DockerClient, progress: Progress, prepare: Callable[[], None] = lambda: None) -> Images:
    """The images, after making what is missing. Safe to interrupt; one process at a time makes images.

    `prepare` installs what is needed where the engine's registry refuses.
    """
    if (ready := find(engine)) is not None:
        return ready
    folder().mkdir(parents=True, exist_ok=True)
    with _only_one(folder() / "lock", progress):
        _sweep(engine)
        try:
            _make(engine, progress, prepare)
        finally:
            _sweep(engine)
    images = find(engine)
    if images is None:
        raise LabError(
            "Images vanished while they were made", hint="somebody cleans up meanwhile? When that is over: ./lab setup"
        )
    return images


def cluster(engine: docker.DockerClient) -> str:
    """ID of the image of a cluster's servers in the engine; "" where it was not made yet, or not of these recipes."""
    base = images_base.load(folder())
    return "" if base is None else workshop.image_id(engine, _keys(base).cluster_tag) or ""


def ensure_cluster(engine: docker.DockerClient, progress: Progress) -> str:
    """The same, after making it where it is missing, on the server image: only labs with clusters need it."""
    if (ready := cluster(engine)) or (base := images_base.load(folder())) is None:
        return ready
    keys = _keys(base)
    with _only_one(folder() / "lock", progress), progress.step("Image of a cluster's servers"):
        if not cluster(engine) and not _loaded(engine, keys.cluster_tag, progress):
            _build(engine, "cluster", keys.cluster_tag, keys.server_tag, progress)
    return cluster(engine)


def recipes_digest(base_digest: str) -> str:
    """What all images would be named after with this base root file system: differs where any recipe does."""
    keys = _keys(images_base.Base(Path(), base_digest, ""))
    return "-".join((keys.server, keys.container, keys.guest, keys.cluster))


def folders(images: Images) -> list[Path]:
    """Where everything lies from which another machine gets these images: see keep."""
    kept = [_kept_dir(tag) for tag in (images.server_tag, images.cluster_tag)]
    return [images_base.home(folder()), images.container_dir, images.guest_dir, *kept]


def keep(engine: docker.DockerClient, images: Images) -> None:
    """Put the servers' images into the cache as well, as files from which an engine can load them.

    The engine must have both: see ensure_cluster.
    """
    with _only_one(folder() / "lock", Quiet()):
        for tag in (images.server_tag, images.cluster_tag):
            ready = _kept_dir(tag)
            if (ready / IMAGE_FILE).is_file():
                continue
            shutil.rmtree(ready, ignore_errors=True)
            _sweep(engine)
            with _draft(ready, (IMAGE_FILE,)) as draft:
                workshop.save(engine, tag, draft / IMAGE_FILE)


def clean(engine: docker.DockerClient) -> None:
    """Remove every image of ours from the engine (those in use stay) and the cache."""
    workshop.remove_images(engine, f"{PROJECT}/*")
    shutil.rmtree(folder(), ignore_errors=True)


def _keys(base: images_base.Base) -> _Keys:
    packages, apt = RECIPES / PACKAGES, RECIPES / APT
    container = digest(RECIPES / "container", packages, apt, salt=base.digest)
    return _Keys(
        base=base.digest,
        server=digest(RECIPES / "server", apt, salt=base.digest),
        container=container,
        guest=digest(RECIPES / "guest", packages, apt, salt=container),
    )


def _guest_dir(keys: _Keys) -> Path:
    return folder() / f"guest-{keys.guest}"


def _container_dir(keys: _Keys) -> Path:
    return folder() / f"container-{keys.container}"


def _kept_dir(tag: str) -> Path:
    return folder() / tag.removeprefix(f"{PROJECT}/").replace(":", "-")


def _make(engine: docker.DockerClient, progress: Progress, prepare: Callable[[], None]) -> None:
    """Make what is missing, each thing from those before it."""
    base = images_base.load(folder())
    if base is None:
        with progress.step(f"Debian {images_base.RELEASE} base root file system"):
            base = images_base.make(engine, folder(), progress, prepare)
        progress.line(f"base root file system: from {base.source}, {base.size_mib} MiB")
    keys = _keys(base)
    need_guest = not _guest_dir(keys).is_dir()
    need_container = not _container_dir(keys).is_dir()
    if workshop.image_id(engine, keys.server_tag) is None:
        with progress.step("Server image"):
            _server(engine, base, keys, progress)
    if need_container or need_guest:
        with progress.step("Container base image"):
            _container(engine, base, keys, progress)
    if need_guest:
        with progress.step("Guest disk image, kernel and initrd"):
            _guest(engine, keys, progress)


def _server(engine: docker.DockerClient, base: images_base.Base, keys: _Keys, progress: Progress) -> None:
    if not _loaded(engine, keys.server_tag, progress):
        _base_image(engine, base, keys)
        _build(engine, "server", keys.server_tag, keys.base_tag, progress)


def _loaded(engine: docker.DockerClient, tag: str, progress: Progress) -> bool:
    """Load an image that was kept in the cache; whether there was one."""
    kept = _kept_dir(tag) / IMAGE_FILE
    if kept.is_file():
        progress.detail("loading it")
        workshop.load(engine, kept, tag)
    return kept.is_file()


def _build(engine: docker.DockerClient, recipe: str, tag: str, base: str, progress: Progress) -> None:
    """Build the image of one folder of recipes from another image."""
    contents: dict[str, Path | bytes] = {**files(RECIPES / recipe, RECIPES / PACKAGES, RECIPES / APT)}
    trusted = _downloads.certificates(os.environ)
    contents[CERTIFICATES] = trusted.read_bytes() if trusted is not None else b""
    workshop.build(engine, contents, f"{recipe}/Dockerfile", tag=tag, arguments={"BASE": base}, progress=progress)


def _base_image(engine: docker.DockerClient, base: images_base.Base, keys: _Keys) -> None:
    if workshop.image_id(engine, keys.base_tag) is None:
        workshop.import_rootfs(engine, base.rootfs, keys.base_tag)


def _container(engine: docker.DockerClient, base: images_base.Base, keys: _Keys, progress: Progress) -> None:
    """The container base image: in the engine, to build the guest from, and as a build context in the cache."""
    ready = _container_dir(keys)
    if workshop.image_id(engine, keys.container_tag) is None:
        if ready.is_dir():
            workshop.import_rootfs(engine, ready / "rootfs.tar.gz", keys.container_tag)
            return
        _base_image(engine, base, keys)
        _build(engine, "container", keys.container_tag, keys.base_tag, progress)
    if ready.is_dir():
        return
    with _draft(ready, CONTAINER_FILES) as draft:
        rootfs = draft / "rootfs.tar"
        workshop.export_rootfs(engine, keys.container_tag, rootfs)
        progress.detail("packing it")
        with rootfs.open("rb") as plain, gzip.open(draft / "rootfs.tar.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed, _CHUNK)
        rootfs.unlink()
        shutil.copy(RECIPES / "container" / "context" / "Dockerfile", draft)


def _guest(engine: docker.DockerClient, keys: _Keys, progress: Progress) -> None:
    """The guest's container image, whose files become the disk image, in a container of the server image."""
    _build(engine, "guest", keys.guest_tag, keys.container_tag, progress)
    with _draft(_guest_dir(keys), GUEST_FILES) as draft:
        source = draft / "in"
        source.mkdir()
        progress.detail("reading its files")
        workshop.export_rootfs(engine, keys.guest_tag, source / "rootfs.tar")
        progress.detail("making the disk image")
        workshop.run(
            engine,
            keys.server_tag,
            ["sh", "/recipe/assemble.sh"],
            folders={source: "/in", RECIPES / "guest": "/recipe"},
            out=(draft, "/out"),
            within_s=_ASSEMBLE_WITHIN_S,
        )
        shutil.rmtree(source)


@contextmanager
def _draft(final: Path, files: tuple[str, ...]) -> Iterator[Path]:
    """A temporary folder that becomes `final` when the block has filled it with exactly these files."""
    draft = final.with_name(f"draft-{final.name}")
    draft.mkdir()
    yield draft
    found = sorted(entry.name for entry in draft.iterdir())
    if found != sorted(files):
        raise LabError(
            f"{final.name} should hold {', '.join(files)}, but holds {', '.join(found) or 'nothing'}",
            hint=f"remove it and set up anew: rm -r {final}; ./lab setup",
        )
    settle(draft)
    draft.rename(final)


def _sweep(engine: docker.DockerClient) -> None:
    """Remove what an earlier or this build left behind: temporary folders and containers."""
    for draft in folder().glob("draft-*"):
        shutil.rmtree(draft, ignore_errors=True)
    workshop.remove_containers(engine)


@contextmanager
def _only_one(file: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of the cache."""
    too_long = LabError(
        f"Another process has been making images for {_LOCK_WITHIN_S} s (it holds {file})",
        hint="End it, then run this again.",
    )
    with held(file, _LOCK_WITHIN_S, too_long, lambda: progress.detail("waiting for another process that makes images")):
        yield
