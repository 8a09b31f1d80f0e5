"""The official release, against a stand-in for its download host."""

from __future__ import annotations

import hashlib
import http.server
import io
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.setup.tools import build, release, toolchain
from labkit.system.errors import LabError
from labkit.system.progress import Quiet
from tests.unit.served import served

NAME = release.archive_name() or "none"
CHECKSUMS = f"/sdk/pulumi-{build.VERSION}-checksums.txt"


class Host(http.server.ThreadingHTTPServer):
    """Serves what `files` holds; `asked` is what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut_short: set[str] = set()
        self.asked: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in self.server.cut_short else content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, at a path with a space."""
    folder = tmp_path / "the cache"
    monkeypatch.setenv("VVC_CACHE", str(folder))
    return folder / "toolchain"


@pytest.fixture
def host(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A download host with a good release."""
    with served(Host()) as server:
        publish(server, archive({"pulumi/pulumi": f"#!/bin/sh\necho v{build.VERSION}\n"}))
        monkeypatch.setenv("VVC_PULUMI_RELEASES", f"http://127.0.0.1:{server.server_port}")
        yield server


def archive(files: dict[str, str]) -> bytes:
    """A release's .tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def publish(host: Host, content: bytes, digest: str = "") -> None:
    """Offer this archive, with its checksum or another."""
    digest = digest or hashlib.sha256(content).hexdigest()
    host.files = {f"/sdk/{NAME}": content, CHECKSUMS: f"{'0' * 64}  other.tar.gz\n{digest}  {NAME}\n".encode()}


def leftovers(cache: Path) -> list[str]:
    """What lies in the cache, its lock apart."""
    return [entry.name for entry in cache.iterdir() if entry.name != "lock"]


def test_a_good_release_is_fetched_once(host: Host, cache: Path) -> None:
    """Checksum held, unpacked, its version asked; the second time nothing is fetched."""
    program = release.ensure(Quiet())
    assert program == cache / f"release-v{build.VERSION}" / "pulumi" / "pulumi"
    assert host.asked == [CHECKSUMS, f"/sdk/{NAME}"]
    assert release.ensure(Quiet()) == program
    assert len(host.asked) == 2
    assert leftovers(cache) == [f"release-v{build.VERSION}"]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(host: Host, cache: Path) -> None:
    """Nothing of it is kept, nothing of it was run."""
    publish(host, host.files[f"/sdk/{NAME}"], digest="ab" * 32)
    with pytest.raises(LabError, match=r"has the SHA-256 [0-9a-f]{64}; its release says abab"):
        release.ensure(Quiet())
    assert leftovers(cache) == []


def test_a_download_that_breaks_off_is_refused_and_leaves_nothing(host: Host, cache: Path) -> None:
    """The host promises more bytes than it sends."""
    host.cut_short.add(f"/sdk/{NAME}")
    with pytest.raises(LabError, match="broke off"):
        release.ensure(Quiet())
    assert leftovers(cache) == []


def test_a_truncated_archive_is_refused_and_leaves_nothing(host: Host, cache: Path) -> None:
    """Half of the archive, served as if it were all."""
    whole = host.files[f"/sdk/{NAME}"]
    publish(host, whole[: len(whole) // 2], digest=hashlib.sha256(whole).hexdigest())
    with pytest.raises(LabError, match="has the SHA-256"):
        release.ensure(Quiet())
    assert leftovers(cache) == []


def test_an_archive_cannot_write_outside_its_folder(host: Host, cache: Path) -> None:
    """Even one whose checksum is right."""
    publish(host, archive({"../../outside": "x"}))
    with pytest.raises(LabError, match="cannot be unpacked"):
        release.ensure(Quiet())
    assert leftovers(cache) == []
    assert not (cache.parent / "outside").exists()


def test_another_version_inside_is_refused(host: Host, cache: Path) -> None:
    """The file's name is no proof."""
    publish(host, archive({"pulumi/pulumi": "#!/bin/sh\necho v3.1.0\n"}))
    with pytest.raises(LabError, match=r"contains version v3\.1\.0"):
        release.ensure(Quiet())
    assert leftovers(cache) == []


def test_a_proxys_page_counts_as_not_reachable(host: Host) -> None:
    """Status 200, yet no checksums."""
    host.files[CHECKSUMS] = b"<html>Please log in</html>"
    assert release.ensure(Quiet()) is None
    host.files.clear()
    assert release.ensure(Quiet()) is None


def test_nobody_listening_counts_as_not_reachable(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at once."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("VVC_PULUMI_RELEASES", f"http://127.0.0.1:{port}")
    assert release.ensure(Quiet()) is None


def test_a_host_that_never_answers_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound, which is 5 s outside this test."""
    assert release._REACH_S == 5.0
    monkeypatch.setattr(release, "_REACH_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("VVC_PULUMI_RELEASES", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begin = time.monotonic()
        assert release.ensure(Quiet()) is None
        assert time.monotonic() - begin < 2


def test_the_release_is_used_with_the_official_plugins_where_they_are(
    host: Host, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No build, nothing disabled."""
    monkeypatch.setenv("PATH", "/nowhere")
    program = release.ensure(Quiet())
    assert toolchain.find() is None  # no plugins yet
    for name, version in build.PLUGINS.items():
        plugin = release.home() / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
        plugin.parent.mkdir(parents=True)
        plugin.touch()
    found = toolchain.find()
    assert found is not None
    assert (found.pulumi, found.origin, found.version) == (program, "official", build.VERSION)
    assert found.path_dirs == (found.pulumi.parent,)
    assert set(found.env) == {"PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK", "PULUMI_LOG_ROTATION_MAX_TOTAL_MB"}
    half = release.home() / "plugins" / f"resource-docker-v{build.PLUGINS['docker']}.partial"
    half.touch()
    assert toolchain.find() is None


def test_a_fetched_pulumi_is_asked_away_from_the_persons_home(
    host: Host, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps a log of each command in its home, even of its version."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    says = f'#!/bin/sh\nmkdir -p "${{PULUMI_HOME:-$HOME/.pulumi}}/logs"\necho v{build.VERSION}\n'
    publish(host, archive({"pulumi/pulumi": says}))
    assert release.ensure(Quiet()) is not None
    assert list(home.iterdir()) == []
    assert leftovers(cache) == [f"release-v{build.VERSION}"]
