"""Which checkout this is: an id made once and kept with the state, so that it goes where the state goes.

A checkout that was moved keeps its id, and with it all that its labs are called. A copy has its original's id in its
state: that state speaks of another one's objects, so a copy is refused while they are there, and else begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from infra import environment
from infra.plan import PROJECT

CHECKOUT = Path(__file__).resolve().parent.parent
"""The checkout that this file lies in (its real path)."""

_RECORD = Path(".state", "checkout.json")
_MACHINE = Path(".state", "machine.json")
_BACKEND = Path(".state", "pulumi", ".pulumi")
"""What Pulumi keeps; the file beside it is git's, and there before Pulumi is."""

_STACKS = _BACKEND / "stacks" / PROJECT
_SCHEMA_VERSION = 1
_STAT_S = 30
_NOT_OF_A_LAB = {"logs", "venv.lock", _RECORD.name}
"""What a copy that begins anew keeps of its state folder; the record, written last, says until then that it is one."""


class NotSetUpError(Exception):
    """This checkout has not been set up, or what it holds is another one's. `hint` is the next step."""

    def __init__(self, problem: str, hint: str = "./lab setup") -> None:
        super().__init__(f"{problem} Run: {hint}" if hint == "./lab setup" else f"{problem} {hint}")
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True)
class Record:
    """What a state says of the checkout that it belongs to: its id, and where it lay when it was last at work."""

    id: str
    path: str
    schema_version: int = _SCHEMA_VERSION


Kind = Literal["new", "same", "moved", "copy"]


@dataclass(frozen=True)
class Identity:
    """What a checkout is. Of a copy `id` is the one with which it begins anew, and `path` its original's."""

    id: str
    kind: Kind
    path: str = ""


def decide(
    here: str, own: Record | None, elsewhere: Mapping[str, Record | None], same_folder: str = ""
) -> tuple[Kind, str]:
    """Pure: what a checkout at `here` is whose state says `own`; of a copy also the path of its original.

    `elsewhere` holds the other paths at which a checkout of this id was at work, with what the state there says now.
    `same_folder` is the one of them that is this very folder, seen by another path.
    """
    if own is None:
        return "new", ""
    for path, other in elsewhere.items():
        if path not in (here, same_folder) and other is not None and other.id == own.id:
            return "copy", path
    return ("same" if own.path in (here, same_folder) else "moved"), ""


def identify(checkout: Path = CHECKOUT) -> Identity:
    """Look which one a checkout is; changes nothing."""
    here = os.path.realpath(checkout)
    own = read(checkout)
    if own is None:
        return Identity(fresh_id(checkout), "new")
    elsewhere = dict.fromkeys(path for path in (own.path, _registered(own.id)) if path and path != here)
    same = next((path for path in elsewhere if _is_same_folder(checkout, Path(path))), "")
    kind, first = decide(here, own, {path: _there(path, own) for path in elsewhere}, same)
    if kind == "copy":
        return Identity(fresh_id(checkout), kind, first)
    return Identity(own.id, kind, own.path if kind == "same" else here)


def _there(path: str, own: Record) -> Record | None:
    """What the state at a path says; that of somebody who lets nobody in is taken for the one that was there."""
    for file in (_RECORD, _MACHINE):
        try:
            Path(path, file).read_bytes()
        except PermissionError:
            return own
        except OSError:
            continue
    return read(Path(path))


def read(checkout: Path) -> Record | None:
    """What the state of a checkout says, if there is one. Before ids were kept they were the digest of the path."""
    found = _json(checkout / _RECORD)
    if isinstance(found.get("id"), str) and isinstance(found.get("path"), str):
        return Record(found["id"], found["path"])
    path = _json(checkout / _MACHINE).get("checkout")
    return Record(_digest(path), path) if isinstance(path, str) else None


def fresh_id(checkout: Path) -> str:
    """8 hexadecimal digits for a checkout without state: of its path and its folder.

    So they are the same again when the state was deleted, and others for a clone that takes a moved one's place.
    """
    with suppress(OSError, subprocess.SubprocessError):
        words = ["stat", "-c", "%i %W", "--", str(checkout)]
        told = subprocess.run(
            words, env=environment.plain(os.environ), capture_output=True, timeout=_STAT_S, check=True
        ).stdout
        return _digest(f"{os.path.realpath(checkout)}\n{told.decode()}")
    return _digest(os.path.realpath(checkout))


def enter(checkout: Path = CHECKOUT) -> str:
    """The id, for work on what is set up; where a checkout was moved, its state is told. Raises NotSetUpError."""
    found = identify(checkout)
    if found.kind == "new":
        raise NotSetUpError("This checkout is not set up.")
    if found.kind == "copy":
        _refuse(checkout, found)
        raise NotSetUpError(f"This checkout is a copy of {found.path}, and not set up itself.")
    # A state that cannot be written to is told of by whoever must write to it.
    with suppress(OSError):
        _note(checkout, found)
    return found.id


def settle(checkout: Path = CHECKOUT) -> str:
    """For set-up: keep the id; a copy whose original has nothing up begins anew. What was done, in words, or "".

    Raises NotSetUpError while a copy's original has something up.
    """
    found = identify(checkout)
    if found.kind == "copy":
        _refuse(checkout, found)
        for path in sorted((checkout / ".state").iterdir(), key=lambda path: path.name == _MACHINE.name):
            if path.name == _BACKEND.parent.name:
                shutil.rmtree(checkout / _BACKEND, ignore_errors=True)
            elif path.name not in _NOT_OF_A_LAB:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    _note(checkout, found)
    if found.kind == "copy":
        return f"This checkout is a copy of {found.path}, which has no lab up: it begins anew, with labs of its own"
    if found.kind == "moved":
        return "This checkout was moved: it goes on with its labs"
    return ""


def _refuse(checkout: Path, found: Identity) -> None:
    up, state = labs_up(Path(found.path)), shlex.quote(str(checkout / ".state"))
    if up:
        raise NotSetUpError(
            f"This checkout is a copy of {found.path}, where {', '.join(up)} is up: servers and data "
            "that this one's state names are that one's.",
            f"Use that one: cd {shlex.quote(found.path)}. Or begin anew here, with labs of its own: "
            f"rm -r {state}/*.json {state}/pulumi/.pulumi (nothing of that one's is touched).",
        )


def main() -> int:
    """For the launcher, which has no packages yet: refuse a copy while its original has something up."""
    found = identify()
    try:
        if found.kind == "copy":
            _refuse(CHECKOUT, found)
    except NotSetUpError as error:
        sys.stderr.write(f"✗ {error.problem}\n  Next: {error.hint}\n")
        return 1
    return 0


def labs_up(checkout: Path) -> list[str]:
    """Labs of which a checkout's Pulumi state holds anything, or cannot be read."""
    try:
        files = sorted(file for file in (checkout / _STACKS).iterdir() if file.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError:
        return ["what cannot be read by this user"]
    found = {file.stem: latest(file) for file in files}
    return [lab for lab, state in found.items() if state is None or state.get("resources")]


def latest(stack_file: Path) -> dict[str, Any] | None:
    """What Pulumi's file of a stack says is there; None if it cannot be read."""
    try:
        found = json.loads(stack_file.read_text(encoding="utf-8"))["checkpoint"]["latest"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else {}


def cache() -> Path:
    """Folder of what all checkouts of a user share."""
    given = os.environ.get("VVC_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / PROJECT


def places() -> dict[str, str]:
    """Ids of this user's checkouts -> the path where each was last at work."""
    found = {file.stem: _json(file).get("path") for file in _registry().glob("*.json")}
    return {id_: path for id_, path in found.items() if isinstance(path, str)}


def _registry() -> Path:
    return cache() / "checkouts"


def _registered(id_: str) -> str:
    path = _json(_registry() / f"{id_}.json").get("path")
    return path if isinstance(path, str) else ""


def _note(checkout: Path, found: Identity) -> None:
    record = Record(found.id, found.path if found.kind in ("same", "moved") else os.path.realpath(checkout))
    if _json(checkout / _RECORD) != asdict(record):
        _write(checkout / _RECORD, record)
    if _registered(found.id) != record.path:
        with suppress(OSError):
            _write(_registry() / f"{found.id}.json", record)


def _write(file: Path, record: Record) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def _is_same_folder(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return (one / ".state").samefile(other / ".state")
    return False


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
