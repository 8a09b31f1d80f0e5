"""A root file system in a registry as a container image of one layer, packed as it lies in the cache.

No engine has to build, pack and push it: what takes half a minute there is one upload here. The registry's API:
https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pulumi
import requests
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from infra.provider import Provider

_WITHIN_S = 30
_CHUNK = 1024**2
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class PushError(Exception):
    """A registry did not take an image."""


def push(image: str, rootfs: Path) -> None:
    """Put a packed root file system into the registry that the image's name begins with. Raises PushError."""
    registry, repository, tag = _parts(image)
    base = f"http://{registry}/v2/{repository}/"
    layer = _digest(rootfs.read_bytes())
    with gzip.open(rootfs) as plain:
        unpacked = hashlib.sha256()
        while chunk := plain.read(_CHUNK):
            unpacked.update(chunk)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{unpacked.hexdigest()}"]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": _digest(config)},
        "layers": [{"mediaType": _LAYER, "size": rootfs.stat().st_size, "digest": layer}],
    }
    try:
        with _session() as session:
            with rootfs.open("rb") as packed:
                _upload(session, base, layer, packed)
            _upload(session, base, _digest(config), config)
            headers = {"Content-Type": _MANIFEST}
            place = urljoin(base, f"manifests/{tag}")
            session.put(place, _json(manifest), headers=headers, timeout=_WITHIN_S).raise_for_status()
    except (requests.RequestException, KeyError) as error:
        raise PushError(f"The lab's registry at {registry} did not take {repository}: {error}") from error


def pinned(image: str) -> str:
    """An image's name with the digest by which its registry has it, as Swarm writes it. Raises PushError."""
    registry, repository, tag = _parts(image)
    place = f"http://{registry}/v2/{repository}/manifests/{tag}"
    try:
        with _session() as session:
            answer = session.head(place, headers={"Accept": _MANIFEST}, timeout=_WITHIN_S)
            answer.raise_for_status()
            return f"{image}@{answer.headers['Docker-Content-Digest']}"
    except (requests.RequestException, KeyError) as error:
        raise PushError(f"The lab's registry at {registry} does not name {repository}:{tag}: {error}") from error


def _parts(image: str) -> tuple[str, str, str]:
    registry, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    return registry, repository, tag


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy of the person's
    # One that was just started needs a moment until it listens: this is some ten seconds.
    session.mount("http://", HTTPAdapter(max_retries=Retry(connect=24, backoff_factor=0.05, backoff_max=0.5)))
    return session


def _upload(session: requests.Session, base: str, digest: str, content: Any) -> None:
    if session.head(urljoin(base, f"blobs/{digest}"), timeout=_WITHIN_S).ok:
        return
    begun = session.post(urljoin(base, "blobs/uploads/"), timeout=_WITHIN_S)
    begun.raise_for_status()
    place = urljoin(base, begun.headers["Location"])
    session.put(place, content, params={"digest": digest}, timeout=_WITHIN_S).raise_for_status()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _changed(olds: dict[str, Any], news: dict[str, Any], inputs: Sequence[str]) -> DiffResult:
    return DiffResult(changes=any(olds.get(key) != news.get(key) for key in inputs))


class _Pushing(Provider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        push(props["image"], Path(props["rootfs"]))
        return CreateResult(props["image"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        push(news["image"], Path(news["rootfs"]))
        return UpdateResult(news)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return _changed(olds, news, ("image", "rootfs", "triggers"))


class _Pinning(Provider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["image"], {**props, "pinned": pinned(props["image"])})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult({**news, "pinned": pinned(news["image"])})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return _changed(olds, news, ("image", "triggers"))


class Pushed(Resource, module="lab", name="Pushed"):
    """An image that a registry has. `image` is its whole name, `rootfs` a file; `triggers` make it another registry."""

    image: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        image: str,
        rootfs: str,
        triggers: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__(_Pushing(), name, {"image": image, "rootfs": rootfs, "triggers": list(triggers)}, opts)


class Pinned(Resource, module="lab", name="Pinned"):
    """The name with its digest, `pinned`, of an image that was pushed. It is asked for anew when a trigger changes.

    A service that is given a tag reads back with the digest that Swarm has found, as a change.
    """

    pinned: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        image: pulumi.Input[str],
        triggers: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__(_Pinning(), name, {"image": image, "triggers": list(triggers), "pinned": None}, opts)
