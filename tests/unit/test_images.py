"""Images are named by what they are made from, are rebuilt only on change, and are whole or not there."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from infra.bounds import ACCELERATOR
from labkit.setup import accelerator
from labkit.setup.building import base as images_base
from labkit.setup.building import images, workshop
from labkit.setup.building._context import DIGITS, digest, files, mode, pack
from labkit.system import paths
from labkit.system.errors import LabError
from labkit.system.progress import Quiet


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "recipe"
    (folder / "files").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / "files" / "conf").write_text("a = 1\n", encoding="utf-8")
    return folder


def test_a_digest_stays_the_same_as_long_as_nothing_changes(recipe: Path) -> None:
    assert digest(recipe) == digest(recipe)
    assert len(digest(recipe)) == DIGITS


@pytest.mark.parametrize("change", ["content", "name", "new file", "salt"])
def test_a_digest_changes_with_everything_that_makes_the_image(recipe: Path, change: str) -> None:
    before = digest(recipe, salt="base")
    conf = recipe / "files" / "conf"
    salt = "base"
    if change == "content":
        conf.write_text("a = 2\n", encoding="utf-8")
    elif change == "name":
        conf.rename(conf.with_name("config"))
    elif change == "new file":
        (recipe / "files" / "more").write_text("", encoding="utf-8")
    else:
        salt = "another base"
    assert digest(recipe, salt=salt) != before


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_what_an_engine_gets_is_the_same_from_every_clone(recipe: Path, umask: int) -> None:
    """Whatever the umask, the file system (core.fileMode=false) or the day gave its files."""
    (recipe / "files" / "tool").write_text("#!/bin/sh\n", encoding="utf-8")
    sent, name = pack(files(recipe)).read(), digest(recipe)
    for path in (recipe, *recipe.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
        os.utime(path, (1, 1))
    assert pack(files(recipe)).read() == sent
    assert digest(recipe) == name
    with tarfile.open(fileobj=pack(files(recipe))) as archive:
        found = {member.name: (oct(member.mode), member.uid, member.gid, member.mtime) for member in archive}
    assert found == {
        "recipe": ("0o755", 0, 0, 0),
        "recipe/files": ("0o755", 0, 0, 0),
        "recipe/Dockerfile": ("0o644", 0, 0, 0),
        "recipe/files/conf": ("0o644", 0, 0, 0),
        "recipe/files/tool": ("0o755", 0, 0, 0),
    }


def test_programs_in_the_recipes_are_known_by_what_they_are() -> None:
    """Those that git notes as executable are those that begin with #!, so that a lost bit loses nothing."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "images"],
        cwd=paths.CHECKOUT, capture_output=True, text=True, check=True, encoding="utf-8",
    ).stdout.splitlines()  # fmt: skip
    programs = [line.split("\t")[1] for line in listed if line.startswith("100755")]
    assert programs
    assert all(mode((paths.CHECKOUT / name).read_bytes()) == 0o755 for name in programs)


def test_what_all_checkouts_share_is_readable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with images._draft(tmp_path / "guest-1", ("a",)) as draft:
            (draft / "a").write_text("", encoding="utf-8")
    finally:
        os.umask(before)
    found = tmp_path / "guest-1"
    assert [oct(path.stat().st_mode & 0o777) for path in (found, found / "a")] == ["0o755", "0o644"]


def test_a_digest_does_not_depend_on_where_the_recipe_lies(recipe: Path, tmp_path: Path) -> None:
    before = digest(recipe)
    (tmp_path / "elsewhere").mkdir()
    assert digest(recipe.rename(tmp_path / "elsewhere" / "recipe")) == before


class _Engine:
    """An engine that has images of these names, and IDs for them."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.images = self
        self.id = ""

    def get(self, name: str) -> _Engine:
        if name not in self.known:
            raise ImageNotFound(name)
        self.id = self.known[name]
        return self


def _as_client(engine: _Engine) -> docker.DockerClient:
    return engine  # type: ignore[return-value]  # as much of it as `find` uses


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VVC_CACHE", str(tmp_path / "cache"))
    home = images.folder() / f"base-{images_base.RELEASE}"
    home.mkdir(parents=True)
    (home / "rootfs.tar").write_text("files", encoding="utf-8")
    (home / "base.json").write_text('{"digest": "0123456789ab", "source": "mmdebstrap"}', encoding="utf-8")
    return images.folder()


def test_images_are_found_only_when_all_are_there(cache: Path) -> None:
    base = images_base.load(cache)
    assert base is not None
    keys = images._keys(base)
    full, empty = _as_client(_Engine(**{keys.server_tag: "sha256:1"})), _as_client(_Engine())
    assert images.find(full) is None
    (cache / f"guest-{keys.guest}").mkdir()
    assert images.find(full) is None
    (cache / f"container-{keys.container}").mkdir()
    assert images.find(empty) is None
    found = images.find(full)
    assert found is not None
    assert (found.server, found.guest_digest) == ("sha256:1", keys.guest)
    assert (found.container_digest, found.source) == (keys.container, "mmdebstrap")


def test_servers_images_that_were_kept_are_loaded_not_built(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds: a machine without a network has nothing else."""
    engine = _Engine()
    done: list[str] = []

    def save(_engine: docker.DockerClient, tag: str, file: Path) -> None:
        file.write_text(tag, encoding="utf-8")

    def load(_engine: docker.DockerClient, file: Path, tag: str) -> None:
        assert file.read_text(encoding="utf-8") == tag
        engine.known[tag] = "sha256:loaded"
        done.append(tag.rpartition("/")[2].partition(":")[0])

    monkeypatch.setattr(workshop, "save", save)
    monkeypatch.setattr(workshop, "load", load)
    monkeypatch.setattr(workshop, "remove_containers", lambda _engine: None)
    monkeypatch.setattr(workshop, "build", lambda *_words, **_more: done.append("built"))
    base = images_base.load(cache)
    assert base is not None
    keys = images._keys(base)
    found = images.Images("", "", "", keys.server_tag, keys.cluster_tag, cache, "", cache, "")
    images.keep(_as_client(engine), found)
    assert {file.parent.name.partition("-")[0] for file in cache.glob(f"*/{images.IMAGE_FILE}")} == {
        "server",
        "cluster",
    }
    assert images.ensure_cluster(_as_client(engine), Quiet()) == "sha256:loaded"
    images._server(_as_client(engine), base, keys, Quiet())
    assert done == ["cluster", "server"]
    assert all(folder in images.folders(found) for folder in cache.glob("*-*") if (folder / images.IMAGE_FILE).exists())


def test_without_a_base_nothing_is_found(cache: Path) -> None:
    (cache / f"base-{images_base.RELEASE}" / "base.json").write_text("{", encoding="utf-8")
    assert images.find(_as_client(_Engine())) is None


def test_another_base_means_other_images(cache: Path) -> None:
    one = images._keys(images_base.Base(cache, "a", "registry"))
    two = images._keys(images_base.Base(cache, "b", "registry"))
    assert {one.server, one.cluster, one.container, one.guest}.isdisjoint(
        {two.server, two.cluster, two.container, two.guest}
    )


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "guest-1"
    with pytest.raises(LabError, match="should hold a, b, but holds a"), images._draft(final, ("a", "b")) as draft:
        (draft / "a").write_text("", encoding="utf-8")
    assert not final.exists()


def test_a_folder_that_is_complete_appears(tmp_path: Path) -> None:
    with images._draft(tmp_path / "guest-1", ("a",)) as draft:
        (draft / "a").write_text("", encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["guest-1"]


@pytest.mark.parametrize(
    ("status", "output", "kind", "reason"),
    [
        (
            134,
            "qemu-system-x86_64: target/i386/kvm/kvm.c:3877: kvm_buf_set_msrs: "
            "Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.\n",
            "tcg",
            "/dev/kvm exists, but no CPU like this machine's own runs on it (QEMU's kvm_buf_set_msrs fails)",
        ),
        (0, f"{accelerator.MARKER}\r\n", "kvm", "the guest's kernel boots on /dev/kvm"),
        (124, "", "tcg", "/dev/kvm exists, but the guest's kernel did not boot on it within 10 s"),
        (1, "failed to initialize kvm\n", "tcg", "QEMU cannot use /dev/kvm: failed to initialize kvm"),
        (134, "", "tcg", "QEMU cannot use /dev/kvm: it ended with status 134"),
    ],
)
def test_only_a_kernel_that_booted_proves_kvm(status: int, output: str, kind: str, reason: str) -> None:
    assert accelerator.judge(status, output) == (kind, reason)


@pytest.mark.parametrize(
    ("found", "bounds", "known"),
    [
        (accelerator.Accelerator("kvm", "it boots", 1.0), ("90", "10"), True),
        (accelerator.Accelerator("kvm", "it boots", 1.0), ("10", "90"), True),
        (accelerator.Accelerator("tcg", "it did not boot", 1.0), ("90", "10"), True),
        (accelerator.Accelerator("tcg", "it did not boot", 1.0), ("10", "10"), True),
        (accelerator.Accelerator("tcg", "it did not boot", 1.0), ("10", "90"), False),
    ],
)
def test_only_a_raised_bound_makes_a_failed_boot_be_asked_again(
    found: accelerator.Accelerator,
    bounds: tuple[str, str],
    known: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who raises it for set-up alone keeps the answer."""
    file = tmp_path / "accelerator.json"
    monkeypatch.setenv(ACCELERATOR.variable, bounds[0])
    accelerator._save(file, "key", found)
    monkeypatch.setenv(ACCELERATOR.variable, bounds[1])
    assert accelerator._load(file, "key") == (found if known else None)
    assert accelerator._load(file, "another") is None


def test_without_the_device_nothing_is_tried(tmp_path: Path, cache: Path) -> None:
    nothing = images.Images("", "", "", "", "", paths.cache(), "", paths.cache(), "")
    found = accelerator.probe(_as_client(_Engine()), nothing, device=tmp_path / "kvm")
    assert (found.kind, found.reason) == ("tcg", f"{tmp_path / 'kvm'} does not exist")
