"""What making images asks of an engine. Containers made here carry a label and never outlive the making."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import Mount
from requests.exceptions import ConnectionError as SilentError
from requests.exceptions import Timeout
from urllib3.exceptions import HTTPError as SilentLayerError

from infra import engine_client, telling
from infra.plan import PROJECT
from labkit.setup import _apt_says, _downloads
from labkit.setup.building import _context
from labkit.system import paths, shell
from labkit.system.errors import LOOK, LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Progress

BUILD_LABEL = f"{PROJECT}.build"
"""Label of temporary containers; its value names the cache that they work for."""

_SILENT_WITHIN_S = 600
"""A build step that says nothing for so long has failed."""

_BUILD_WITHIN_S = 1800
"""A build or a pull as a whole; on 2 cores the longest takes about a minute."""

_REGISTRY_WITHIN_S = 10
_LAYER_WITHIN_S = 120
"""How long a registry may take to answer at all, and a pull to say something."""

_LINES = 60
_EXPORT_CHUNK = 4 * 2**20
_SAVE_LEVEL = 3


def image_id(engine: docker.DockerClient, name: str) -> str | None:
    """ID of an image, or None when the engine has none of that name."""
    try:
        return str(engine.images.get(name).id)
    except ImageNotFound:
        return None


def build(
    engine: docker.DockerClient,
    contents: Mapping[str, Path | bytes],
    dockerfile: str,
    *,
    tag: str,
    arguments: Mapping[str, str],
    progress: Progress,
) -> None:
    """Build a container image from these files; it gets its tag only when it is complete.

    It downloads with what this machine has: in its network (a proxy or a name server on its loopback is there, too),
    with its proxies, which as predefined arguments leave no trace in the image. It carries no label of ours: every
    container made from it would inherit that.
    """
    proxies = _downloads.here(engine)
    with engine_client.without_config():
        events = engine.api.build(
            fileobj=_context.pack(contents),
            custom_context=True,
            dockerfile=dockerfile,
            tag=tag,
            buildargs={**proxies, **arguments},
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_SILENT_WITHIN_S,
        )
    try:
        _follow(events, progress)
    except _FailedError as failed:
        shell.note(Outcome(("docker", "build", "--tag", tag), 1, failed.said, 0.0))
        raise failed_build(tag, failed.said, proxies) from failed


def failed_build(tag: str, said: str, proxies: Mapping[str, str]) -> LabError:
    """Why a build failed, in a sentence, and what it had to download with."""
    fault = _apt_says.fault(said)
    had = ""
    if fault.kind in _apt_says.OF_NETWORKS:
        had = f"\nThe build had this machine's network and name servers, and {_downloads.shown(proxies)}."
    return LabError(f"Building {tag} failed. {fault.sentence}{had}", hint=fault.hint)


def pull(engine: docker.DockerClient, image: str, progress: Progress) -> None:
    """Pull a public image, without credentials. Raises LabError with what the registry said."""
    usual, engine.api.timeout = engine.api.timeout, _REGISTRY_WITHIN_S
    try:
        with engine_client.without_config():
            engine.api.inspect_distribution(image)  # type: ignore[no-untyped-call]  # missing in the stubs
            engine.api.timeout = _LAYER_WITHIN_S
            events = engine.api.pull(image, stream=True, decode=True)
        _follow(events, progress)
    except _FailedError as failed:
        raise LabError(_apt_says.fault(failed.said).sentence, hint=_apt_says.fault(failed.said).hint) from failed
    except (Timeout, SilentError, SilentLayerError) as error:
        raise LabError("The registry does not answer", hint=_apt_says.CLASS_FILE) from error
    except DockerException as error:
        said = str(getattr(error, "explanation", None) or error)
        raise LabError(_apt_says.fault(said).sentence, hint=_apt_says.fault(said).hint) from error
    finally:
        engine.api.timeout = usual


def import_rootfs(engine: docker.DockerClient, rootfs: Path, tag: str) -> None:
    """Make a container image of one layer from a root file system in a tar file."""
    repository, version = tag.rsplit(":", 1)
    with rootfs.open("rb") as stream:
        answer = engine.api.import_image_from_data(stream, repository=repository, tag=version)
    for line in answer.splitlines():
        if line and "error" in (event := json.loads(line)):
            raise LabError(f"The engine did not take {rootfs} as {tag}: {event['error']}", hint=LOOK)


def export_rootfs(engine: docker.DockerClient, image: str, rootfs: Path) -> None:
    """Write an image's root file system into a tar file."""
    container = engine.containers.create(image, command=["true"], labels={BUILD_LABEL: _label_value()})
    try:
        with rootfs.open("wb") as stream:
            chunks: Iterator[bytes] = container.export(chunk_size=_EXPORT_CHUNK)  # type: ignore[assignment]  # the stubs say str
            stream.writelines(chunks)
    finally:
        container.remove(force=True)


def save(engine: docker.DockerClient, tag: str, file: Path) -> None:
    """Write an image with its tag into a packed file, from which `load` gets it."""
    with gzip.open(file, "wb", compresslevel=_SAVE_LEVEL) as stream:
        for chunk in engine.images.get(tag).save(chunk_size=_EXPORT_CHUNK, named=tag):
            stream.write(chunk)


def load(engine: docker.DockerClient, file: Path, tag: str) -> None:
    """Load an image that `save` wrote. Raises LabError when the engine has no such tag afterwards."""
    try:
        with file.open("rb") as stream:
            engine.images.load(stream)
    except DockerException as error:
        raise LabError(
            f"The engine did not take {file} as an image: {error}", hint=f"rm {file}; ./lab setup"
        ) from error
    if image_id(engine, tag) is None:
        raise LabError(f"{file} does not hold the image {tag}", hint=f"rm {file}; ./lab setup")


def run(
    engine: docker.DockerClient,
    image: str,
    command: Sequence[str],
    *,
    folders: Mapping[Path, str],
    out: tuple[Path, str] | None = None,
    devices: Sequence[str] = (),
    network: str = "none",
    environment: Mapping[str, str] | None = None,
    may: Sequence[str] = (),
    within_s: float,
) -> tuple[int, str]:
    """Run a command as root in a temporary container, by default without network; its status and its output.

    `folders` are given read-only, capabilities in `may` besides the usual ones; what the command leaves in `out`
    becomes this user's. Raises LabError when the command outlasts `within_s` seconds or, where there is an `out`, when
    it fails.
    """
    mounts = [Mount(target, str(source), type="bind", read_only=True) for source, target in folders.items()]
    words = list(command)
    if out is not None:
        mounts.append(Mount(out[1], str(out[0]), type="bind"))
        owner = f"{os.getuid()}:{os.getgid()}"
        words = ["sh", "-c", f'"$@" && chown -R {owner} {out[1]}', "sh", *words]
    container = engine.containers.create(
        image,
        entrypoint=words[:1],
        command=words[1:],
        devices=[f"{device}:{device}" for device in devices],
        healthcheck={"test": ["NONE"]},
        labels={BUILD_LABEL: _label_value()},
        mounts=mounts,
        network_mode=network,
        environment=dict(environment or {}),
        cap_add=list(may),
        security_opt=["apparmor=unconfined", "seccomp=unconfined"] if may else [],
    )
    try:
        container.start()
        status = _wait(container, within_s)
        output = container.logs().decode(errors="replace")
    finally:
        _remove(container)
    if status is None:
        raise LabError(
            f"`{telling.command(command)}` in {image} took more than {within_s:.0f} s{telling.because(output)}",
            hint=LOOK,
        )
    if out is not None and status != 0:
        fault = _apt_says.fault(output)
        raise LabError(f"Making files in a container of {image} failed. {fault.sentence}", hint=fault.hint)
    return status, output


def remove_containers(engine: docker.DockerClient) -> None:
    """Remove the temporary containers of this cache."""
    label = f"{BUILD_LABEL}={_label_value()}"
    for container in engine.containers.list(all=True, filters={"label": [label]}, ignore_removed=True):
        _remove(container)


def _remove(container: Container) -> None:
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        # Another ./lab that shares the cache may be removing it, or has.
        if error.status_code not in {404, 409}:
            raise


def remove_images(engine: docker.DockerClient, pattern: str) -> None:
    """Remove all images whose name matches; those that a container uses stay."""
    for image in engine.images.list(filters={"reference": pattern}):
        # The engine tells all tags of an image of which one matches: the others are somebody's.
        for tag in fnmatch.filter(image.tags, pattern):
            try:
                engine.images.remove(tag)
            except APIError as error:
                if error.status_code not in {404, 409}:
                    raise


def _label_value() -> str:
    return hashlib.sha256(str(paths.cache()).encode()).hexdigest()[:8]


def _wait(container: Container, within_s: float) -> int | None:
    try:
        return int(container.wait(timeout=within_s)["StatusCode"])
    except (Timeout, SilentError):
        # The SDK words an expired wait as either of the two.
        return None


class _FailedError(Exception):
    """A build or a pull failed; `said` is what it printed last."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _follow(events: Iterable[dict[str, Any]], progress: Progress) -> None:
    last: deque[str] = deque(maxlen=_LINES)
    deadline = time.monotonic() + _BUILD_WITHIN_S
    for event in events:
        if time.monotonic() > deadline:
            raise _FailedError(f"it was not done after {_BUILD_WITHIN_S} s")
        if "error" in event:
            # Docker repeats the whole command; what it printed before tells more.
            raise _FailedError("\n".join([*last, str(event["error"]).replace("\n", " ")]))
        text = str(event.get("stream") or event.get("status") or "").strip()
        if text:
            last.append(text)
            progress.detail(text.splitlines()[-1])
