"""An image of one layer is put into a registry, which is played here."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from infra import pushed
from tests.unit.served import served


class Registry(ThreadingHTTPServer):
    """What it has: blobs by their digests, manifests by their paths."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads = 0
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Of the registry's API what a push needs."""

    server: Registry

    def log_message(self, *_args: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        if self.path in self.server.manifests:
            digest = f"sha256:{hashlib.sha256(self.server.manifests[self.path]).hexdigest()}"
            self._say(200, **{"Docker-Content-Digest": digest})
        else:
            self._say(200 if self.path.rpartition("/")[2] in self.server.blobs else 404)

    def do_POST(self) -> None:
        self.server.uploads += 1
        self._say(202, Location=f"{self.path}{self.server.uploads}?state=x")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        if "/manifests/" in parts.path:
            self.server.manifests[parts.path] = body
        else:
            (digest,) = parse_qs(parts.query)["digest"]
            if digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
                self._say(400)
                return
            self.server.blobs[digest] = body
        self._say(201)

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with served(Registry()) as server:
        yield server


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    file = tmp_path / "rootfs.tar.gz"
    file.write_bytes(gzip.compress(b"a root file system"))
    return file


def test_the_registry_has_the_layer_as_it_lies_in_the_cache(registry: Registry, rootfs: Path) -> None:
    """Not packed again; the manifest names it and a configuration that knows its digest unpacked."""
    image = f"127.0.0.1:{registry.server_port}/vm-vs-container/container-base:abc"
    pushed.push(image, rootfs)
    manifest = json.loads(registry.manifests["/v2/vm-vs-container/container-base/manifests/abc"])
    (layer,) = manifest["layers"]
    assert registry.blobs[layer["digest"]] == rootfs.read_bytes()
    assert layer["size"] == rootfs.stat().st_size
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(b'a root file system').hexdigest()}"]


def test_what_it_has_is_not_sent_again(registry: Registry, rootfs: Path) -> None:
    """Only the manifest, which is small."""
    image = f"127.0.0.1:{registry.server_port}/a/b:1"
    pushed.push(image, rootfs)
    pushed.push(image, rootfs)
    assert registry.uploads == 2


def test_a_registry_that_refuses_is_told(registry: Registry, rootfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name and the image's."""
    monkeypatch.setattr(Handler, "do_POST", lambda self: self._say(507))
    with pytest.raises(pushed.PushError, match=r"registry at 127\.0\.0\.1:[0-9]+ did not take a/b: 507"):
        pushed.push(f"127.0.0.1:{registry.server_port}/a/b:1", rootfs)


def test_an_image_is_pinned_to_what_the_registry_has(registry: Registry, rootfs: Path) -> None:
    """Its name with its tag and its manifest's digest."""
    image = f"127.0.0.1:{registry.server_port}/a/b:1"
    pushed.push(image, rootfs)
    digest = hashlib.sha256(registry.manifests["/v2/a/b/manifests/1"]).hexdigest()
    assert pushed.pinned(image) == f"{image}@sha256:{digest}"


def test_an_image_that_the_registry_has_not_is_told(registry: Registry) -> None:
    """With its name and the registry's."""
    with pytest.raises(pushed.PushError, match=r"registry at 127\.0\.0\.1:[0-9]+ does not name a/b:1: 404"):
        pushed.pinned(f"127.0.0.1:{registry.server_port}/a/b:1")
