"""A class sets up from one file: a fresh checkout, an empty cache, no network, and a set-up that works."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra import outputs
from labkit.setup.building import images, workshop
from labkit.setup.docker.client import connected
from labkit.setup.docker.engine import connect
from labkit.setup.offline import _archive
from tests.engines.real import ROOT, tool

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(1800)]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOWHERE = "http://127.0.0.1:9"
CLOSED = {
    "PIP_INDEX_URL": f"{NOWHERE}/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "GOPROXY": "off",
    "http_proxy": NOWHERE,
    "https_proxy": NOWHERE,
    "VVC_PULUMI_RELEASES": NOWHERE,
}


@pytest.fixture(scope="module")
def class_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that this machine's set-up exports."""
    file = tmp_path_factory.mktemp("export") / "class.vvc"
    told = tool("setup", "--export", str(file), "--yes", timeout_s=900).stdout
    assert "Not in it: Debian packages." in told
    return file


def setup(checkout: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """./lab setup in a checkout, as a user with this home and without a network."""
    env = {"PATH": PATH, "HOME": str(home), **CLOSED}
    env |= {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    return subprocess.run(
        [checkout / "lab", "setup", *words], cwd=checkout, env=env, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=900, check=False, encoding="utf-8")  # fmt: skip


def contents(cache: Path) -> dict[Path, int]:
    """When each file was written; without locks, and without the log that Pulumi keeps of each of its commands."""
    files = (file for file in cache.rglob("*") if file.is_file())
    return {file: file.stat().st_mtime_ns for file in files if "lock" not in file.name and file.parent.name != "logs"}


def test_a_fresh_checkout_is_set_up_without_a_network(class_file: Path, tmp_path: Path) -> None:
    """Then again from what came, and again from the file: nothing changes."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True, timeout=60)
    done = setup(checkout, home, "--import", str(class_file))
    assert done.returncode == 0, done.stderr
    assert "Set up." in done.stdout
    assert "(built)" in done.stdout or "(official)" in done.stdout
    cache = home / ".cache" / "vm-vs-container"
    before = contents(cache)
    for words in ([], ["--import", str(class_file)]):
        again = setup(checkout, home, *words)
        assert again.returncode == 0, again.stderr
    assert contents(cache) == before


@pytest.mark.parametrize("of", ["server", "cluster"])
def test_an_engine_without_a_servers_image_loads_it(
    class_file: Path, lab: outputs.Contract, tmp_path: Path, of: str
) -> None:
    """A server's own engine stands for a machine that never had it; those of clusters have an image of their own."""
    manifest = _archive.read(class_file)
    _archive.unpack(class_file, tmp_path, manifest.made_for, only=f"images/{of}-")
    (file,) = tmp_path.rglob(images.IMAGE_FILE)
    here = connect()
    assert here is not None
    with here.client() as client:
        found = images.find(client)
        assert found is not None
    tag = {"server": found.server_tag, "cluster": found.cluster_tag}[of]
    with connected(lab.servers[0].docker_host, 600) as inner:
        try:
            assert workshop.image_id(inner, tag) is None
            workshop.load(inner, file, tag)
            assert workshop.image_id(inner, tag) is not None
        finally:
            workshop.remove_images(inner, tag)
