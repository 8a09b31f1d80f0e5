"""A class file is believed only whole, undamaged and made for this checkout; what comes from it comes at once."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.setup.building import base as images_base
from labkit.setup.building import images
from labkit.setup.building.base import Base
from labkit.setup.offline import _archive, _wheels
from labkit.setup.offline import class_file as offline
from labkit.system import paths
from labkit.system.errors import LabError
from labkit.system.progress import Quiet
from tests.unit import class_files

PARTS = {"wheels/x/a.whl": "wheel", "images/guest-1/disk": "d" * 5000, "toolchain/cli-1/pulumi": "program"}


def unpack(file: Path, folder: Path) -> _archive.Manifest:
    folder.mkdir()
    return _archive.unpack(file, folder, class_files.MADE_FOR)


def test_what_was_written_is_what_comes_out(tmp_path: Path) -> None:
    """Contents, executable bits, and who it was made for."""
    program = tmp_path / "sources" / "toolchain/cli-1/pulumi"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    file = class_files.write(tmp_path, PARTS)
    manifest = unpack(file, tmp_path / "out")
    assert manifest.made_for == class_files.MADE_FOR
    assert {path: (tmp_path / "out" / path).read_text(encoding="utf-8") for path in PARTS} == PARTS
    assert os.access(tmp_path / "out" / "toolchain/cli-1/pulumi", os.X_OK)
    assert not os.access(tmp_path / "out" / "images/guest-1/disk", os.X_OK)


def cut(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) * 3 // 4] ^= 0xFF
    file.write_bytes(bytes(data))


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (cut, "is damaged or cut short"),
    (flip, "is damaged or cut short"),
    (lambda file: file.write_bytes(b"PK\x03\x04 a zip file"), "is no class file of vm-vs-container"),
    (lambda file: file.write_bytes(b""), "is no class file of vm-vs-container"),
    (lambda file: file.unlink(), "No such file or directory"),
    (lambda file: class_files.rewrite(file, members={"images/guest-1/disk": "e" * 5000}), "has another digest"),
    (lambda file: class_files.rewrite(file, members={"images/guest-1/disk": "e"}), "is not what its manifest says"),
    (lambda file: class_files.rewrite(file, members={"../evil": "x"}), "is not what its manifest says"),
    (
        lambda file: class_files.rewrite(file, {"schema_version": 2}),
        "has version 2 of the class file",
    ),
    (lambda file: class_files.rewrite(file, {"format": "other"}), "it is a 'other'"),
    (lambda file: class_files.rewrite(file, {"parts": [{"path": "x"}]}), "its manifest is incomplete"),
    (
        lambda file: class_files.rewrite(
            file, {"parts": [{"path": "../evil", "bytes": 1, "sha256": "", "executable": False}]}
        ),
        "the path '../evil' is not one of a part",
    ),
    (
        lambda file: class_files.rewrite(file, {"made_for": {"requirements": "old", "python": "3.12"}}),
        "requirements: the file has old, here it is abc\n  python: the file has 3.12, here it is 3.11",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[message for _, message in DAMAGES])
def test_a_file_that_is_not_right_is_refused(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    """Saying what is wrong with it."""
    file = class_files.write(tmp_path, PARTS)
    damage(file)
    with pytest.raises(LabError) as caught:
        unpack(file, tmp_path / "out")
    assert message in caught.value.problem
    assert caught.value.hint
    assert not (tmp_path / "evil").exists()


def test_a_part_that_is_missing_is_told(tmp_path: Path) -> None:
    """A tar that ends in order, but too early."""
    file = class_files.write(tmp_path, PARTS)
    with tarfile.open(file) as archive:
        first = archive.extractfile("manifest.json")
        assert first is not None
        manifest = first.read()
    with tarfile.open(file, "w:gz") as archive:
        (tmp_path / "manifest.json").write_bytes(manifest)
        archive.add(tmp_path / "manifest.json", "manifest.json")
    with pytest.raises(LabError, match=r"3 parts are missing, such as wheels/x/a.whl"):
        unpack(file, tmp_path / "out")


def test_links_in_a_file_are_refused(tmp_path: Path) -> None:
    """However its manifest calls them."""
    file = class_files.write(tmp_path, {"images/x/y": ""})
    with tarfile.open(file) as archive:
        first = archive.extractfile("manifest.json")
        assert first is not None
        (tmp_path / "manifest.json").write_bytes(first.read())
    with tarfile.open(file, "w:gz") as archive:
        archive.add(tmp_path / "manifest.json", "manifest.json")
        link = tarfile.TarInfo("images/x/y")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(LabError, match=r"images/x/y is not what its manifest says"):
        unpack(file, tmp_path / "out")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a checkout whose pins are easily told."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def class_file(folder: Path, base: str = "0" * 12) -> Path:
    """A file made for this checkout."""
    parts = {"images/base-trixie/base.json": f'{{"digest": "{base}", "source": "x"}}', **PARTS}
    return class_files.write(folder, parts, offline.made_for(base))


def test_import_fills_the_cache_and_twice_changes_nothing(tmp_path: Path, cache: Path) -> None:
    """A folder that is there stays as it is; nothing half done is left."""
    (cache / "images" / "guest-1").mkdir(parents=True)
    (cache / "images" / "guest-1" / "disk").write_text("own", encoding="utf-8")
    offline.bring(class_file(tmp_path), Quiet())
    found = {file: file.stat().st_mtime_ns for file in sorted(cache.rglob("*")) if file.is_file()}
    assert (cache / "toolchain" / "cli-1" / "pulumi").read_text(encoding="utf-8") == "program"
    assert (cache / "images" / "guest-1" / "disk").read_text(encoding="utf-8") == "own"
    assert not list(cache.glob(".import-*"))
    offline.bring(tmp_path / "class.vvc", Quiet())
    assert {file: file.stat().st_mtime_ns for file in sorted(cache.rglob("*")) if file.is_file()} == found


def test_a_damaged_file_leaves_the_cache_as_it_was(tmp_path: Path, cache: Path) -> None:
    """Nothing of it is taken, not even what was right."""
    file = class_file(tmp_path)
    class_files.rewrite(file, members={"toolchain/cli-1/pulumi": "pr0gram"})
    with pytest.raises(LabError, match=r"another digest .*Nothing was taken from it"):
        offline.bring(file, Quiet())
    assert list(cache.iterdir()) == []


def test_other_images_than_those_here_are_not_mixed(tmp_path: Path, cache: Path) -> None:
    """The base root file system names all images: with another one the file's would not be found."""
    home = images_base.home(images.folder())
    home.mkdir(parents=True)
    (home / "base.json").write_text('{"digest": "1", "source": "x"}', encoding="utf-8")
    with pytest.raises(LabError, match=r"made from another base root file system") as caught:
        offline.bring(class_file(tmp_path), Quiet())
    assert "./lab clean --cache" in caught.value.hint


def test_a_recipe_that_changed_makes_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Images are made for their recipes and their base."""
    before = images.recipes_digest("0" * 12)
    assert images.recipes_digest("1" * 12) != before
    assert before.split("-")[0] == images._keys(Base(Path(), "0" * 12, "")).server


def test_wheels_come_alone_for_the_launcher(tmp_path: Path) -> None:
    """Into the cache, before there is a .venv; asked again they are found."""
    checkout, cache = tmp_path / "checkout", tmp_path / "cache"
    checkout.mkdir()
    (checkout / "requirements.txt").write_text("a==1\n", encoding="utf-8")
    name = _wheels.folder(checkout, cache).name
    parts = {f"wheels/{name}/requirements.txt": "a==1 --hash=…\n", f"wheels/{name}/a.whl": "w", "images/x/y": "z"}
    file = class_files.write(tmp_path, parts, _wheels.made_for(checkout))
    assert _wheels.ready(checkout, cache) is None
    folder = _wheels.bring(file, checkout, cache)
    assert sorted(one.name for one in folder.iterdir()) == ["a.whl", "requirements.txt"]
    assert _wheels.ready(checkout, cache) == folder == _wheels.bring(file, checkout, cache)
    assert not (cache / "images").exists()


def test_an_account_of_pulumi_is_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a PULUMI_HOME only its plugins."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path))
    home = tmp_path / "toolchain" / "plugins-1"
    (home / "plugins" / "resource-x").mkdir(parents=True)
    (home / "plugins" / "resource-x" / "program").touch()
    (home / "credentials.json").write_text("token", encoding="utf-8")
    assert [path for path, _ in offline._files(home)] == ["toolchain/plugins-1/plugins/resource-x/program"]
    assert paths.cache() == tmp_path
