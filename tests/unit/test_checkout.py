"""Whose id a checkout goes by: made once, kept where it is moved, never shared by a copy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import checkout
from infra.checkout import NotSetUpError, Record, decide

A, B = Record("aaaaaaaa", "/a"), Record("bbbbbbbb", "/b")


@pytest.mark.parametrize(
    ("here", "own", "elsewhere", "same_folder", "kind"),
    [
        ("/a", None, {}, "", ("new", "")),
        ("/a", A, {}, "", ("same", "")),
        ("/b", A, {"/a": None}, "", ("moved", "")),
        ("/b", A, {"/a": B}, "", ("moved", "")),
        ("/b", A, {"/a": A}, "", ("copy", "/a")),
        ("/b", A, {"/a": A}, "/a", ("same", "")),
        # Moved to /c; then a backup of it was brought back to where it was.
        ("/a", A, {"/c": Record(A.id, "/c")}, "", ("copy", "/c")),
        ("/a", A, {"/c": None}, "", ("same", "")),
        # A copy of what was moved, of which the state still names the place before.
        ("/d", A, {"/a": None, "/c": Record(A.id, "/c")}, "", ("copy", "/c")),
    ],
)
def test_what_a_checkout_is(
    here: str, own: Record | None, elsewhere: dict[str, Record | None], same_folder: str, kind: tuple[str, str]
) -> None:
    """From where it lies, what its state says, and who else has that id."""
    assert decide(here, own, elsewhere, same_folder) == kind


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A checkout that is set up, with a lab up."""
    folder = tmp_path / "first"
    (folder / ".state" / "logs").mkdir(parents=True)
    checkout.settle(folder)
    set_up(folder)
    return folder


def set_up(folder: Path, *resources: str, lab: str = "deployment") -> None:
    stacks = folder / ".state" / "pulumi" / ".pulumi" / "stacks" / "vm-vs-container"
    stacks.mkdir(parents=True, exist_ok=True)
    state = {"checkpoint": {"latest": {"resources": [{"urn": one} for one in resources]}}}
    (stacks / f"{lab}.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / ".state" / "machine.json").write_text("{}", encoding="utf-8")


def copied(first: Path, name: str = "copy") -> Path:
    target = first.with_name(name)
    shutil.copytree(first, target, symlinks=True)
    return target


def test_an_id_is_8_hex_digits_and_the_same_when_the_state_is_lost(tmp_path: Path) -> None:
    """git clean -fdx: what is left of a lab is still known as ours. Another folder has another id."""
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    checkout.settle(own)
    id_ = checkout.enter(own)
    assert re.fullmatch("[0-9a-f]{8}", id_)
    assert checkout.identify(other).id != id_
    shutil.rmtree(own / ".state")
    assert checkout.identify(own).id == id_
    with pytest.raises(NotSetUpError, match=r"not set up\. Run: ./lab setup"):
        checkout.enter(own)


def test_a_clone_that_takes_a_moved_ones_place_has_another_id(first: Path) -> None:
    """Also before the moved one was used again."""
    id_ = checkout.identify(first).id
    moved = first.rename(first.with_name("moved"))
    first.mkdir()
    assert checkout.identify(first).id != id_
    checkout.settle(first)
    assert checkout.enter(moved) == id_
    assert checkout.enter(moved) == id_


def test_a_moved_checkout_keeps_its_id_and_what_is_up(first: Path) -> None:
    """And says so once."""
    set_up(first, "a server")
    id_ = checkout.enter(first)
    moved = first.rename(first.with_name("moved"))
    assert checkout.settle(moved) == "This checkout was moved: it goes on with its labs"
    assert checkout.settle(moved) == ""
    assert checkout.enter(moved) == id_
    assert checkout.labs_up(moved) == ["deployment"]
    assert checkout.places()[id_] == str(moved)


def test_a_copy_is_refused_while_the_first_one_is_up_and_touches_nothing(first: Path) -> None:
    """By set-up and by all that needs one, with whose it is and both ways on."""
    set_up(first, "a server")
    before = (first / ".state" / "checkout.json").read_bytes()
    copy = copied(first)
    for ask in (checkout.enter, checkout.settle):
        with pytest.raises(NotSetUpError) as refused:
            ask(copy)
        assert f"is a copy of {first}, where deployment is up" in refused.value.problem
        assert f"cd {first}" in refused.value.hint
        command = refused.value.hint.partition("rm -r ")[2].partition(" (")[0]
    assert checkout.labs_up(copy) == ["deployment"]
    assert (first / ".state" / "checkout.json").read_bytes() == before
    subprocess.run(["sh", "-c", f"rm -r {command}"], check=True)
    assert not checkout.labs_up(copy)
    checkout.settle(copy)
    assert checkout.enter(copy) != checkout.enter(first)


def test_a_copy_begins_anew_when_the_first_ones_lab_went_down_meanwhile(first: Path) -> None:
    """What its state names is gone: nothing of it must be healed. Logs are kept."""
    set_up(first, "a server")
    copy = copied(first)
    (copy / ".state" / "logs" / "one.log").touch()
    (copy / ".state" / "pulumi" / "README").touch()
    set_up(first)
    with pytest.raises(NotSetUpError, match=r"a copy of .*, and not set up itself. Run: ./lab setup"):
        checkout.enter(copy)
    wanted = checkout.identify(copy).id
    assert "it begins anew" in checkout.settle(copy)
    assert (copy / ".state" / "pulumi" / "README").exists(), "it is git's"
    assert checkout.labs_up(copy) == []
    assert not (copy / ".state" / "machine.json").exists()
    assert (copy / ".state" / "logs" / "one.log").exists()
    assert checkout.enter(copy) == wanted != checkout.enter(first)
    assert checkout.settle(copy) == ""


def test_a_backup_brought_back_beside_what_was_moved_is_a_copy(first: Path) -> None:
    """Its state names its own place; where the id is at work now is known from the cache."""
    set_up(first, "a server")
    backup = copied(first, "backup")
    moved = first.rename(first.with_name("moved"))
    checkout.enter(moved)
    shutil.copytree(backup, first)
    with pytest.raises(NotSetUpError, match=f"a copy of {moved}"):
        checkout.enter(first)


def test_a_backup_brought_back_in_place_goes_on(first: Path) -> None:
    """Also on another machine, where nothing else has that id."""
    set_up(first, "a server")
    id_ = checkout.enter(first)
    backup = copied(first, "backup")
    shutil.rmtree(first)
    backup.rename(first)
    assert checkout.enter(first) == id_


def test_the_same_folder_by_another_path_goes_on(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symlinked home is one path; a bind mount is the same folder, which is not noted as a move."""
    link = first.with_name("link")
    link.symlink_to(first)
    assert checkout.identify(link).kind == "same"
    set_up(first, "a server")
    bound = copied(first, "bound")
    monkeypatch.setattr(checkout, "_is_same_folder", lambda *_: True)
    assert checkout.enter(bound) == checkout.identify(first).id
    assert json.loads((bound / ".state" / "checkout.json").read_text(encoding="utf-8"))["path"] == str(first)


def former(folder: Path, path: Path) -> None:
    """As the version before left it: no record, its path in what set-up noted."""
    (folder / ".state" / "checkout.json").unlink(missing_ok=True)
    (folder / ".state" / "machine.json").write_text(json.dumps({"checkout": str(path)}), encoding="utf-8")


def test_labs_made_before_ids_were_kept_go_on(first: Path) -> None:
    """In place and moved; a copy is refused as any other."""
    former(first, first)
    id_ = checkout.enter(first)
    assert id_ == checkout._digest(str(first))
    set_up(first, "a server")
    copy = copied(first)
    former(copy, first)
    with pytest.raises(NotSetUpError, match="a copy of"):
        checkout.enter(copy)
    moved = first.rename(first.with_name("moved"))
    former(moved, first)
    shutil.rmtree(copy)
    assert checkout.enter(moved) == id_


def test_what_another_user_lets_nobody_read_counts_as_up(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of somebody's checkout must not take over their lab."""
    copy = copied(first)
    files = {name: getattr(Path, name) for name in ("read_bytes", "read_text", "iterdir")}

    def closed(name: str) -> Callable[..., Any]:
        def read(path: Path, *words: Any, **names: Any) -> Any:
            if path.is_relative_to(first):
                raise PermissionError(path)
            return files[name](path, *words, **names)

        return read

    for name in files:
        monkeypatch.setattr(Path, name, closed(name))
    with pytest.raises(NotSetUpError, match="what cannot be read by this user is up"):
        checkout.settle(copy)
