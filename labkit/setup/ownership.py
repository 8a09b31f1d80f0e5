"""Whose files a checkout holds: what ./lab could not use is told at once, with the command that mends it.

An earlier ./lab under sudo leaves files of root in what belongs to the checkout; a checkout may lie on a file system
that is read-only, or one that keeps no modes. `problem` is pure.
"""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from infra import checkout
from infra.plan import PREFIX
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT, STATE, VENV, cache

_ROOT = 0
_UNKNOWN = -1
"""Owner of what lies where this user cannot even look."""

_RUNS = CHECKOUT / "runs"


@dataclass(frozen=True)
class Found:
    """A file or folder that this user cannot use. `top` is the one of ours that it lies below."""

    path: str
    top: str
    owner: int


def problem(found: Sequence[Found], me: tuple[int, int], labs_up: Sequence[str], names: dict[int, str]) -> LabError:
    """Pure: what is told of these to the user and group `me`; `labs_up` are labs that another user's ./lab has up."""
    first = found[0]
    if first.owner == _UNKNOWN:
        return LabError(
            f"{first.path} cannot be reached by {names.get(me[0], str(me[0]))}.",
            hint="HOME, or VVC_CACHE, must name a folder of this user",
        )
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    if first.owner == me[0]:
        return LabError(
            f"{first.path}{more} cannot be written to; ./lab keeps its state in the checkout.",
            hint=f"chmod -R u+rwX {shlex.quote(first.top)}; or, where the file system is read-only, use a checkout "
            "in another folder",
        )
    owner = names.get(first.owner, str(first.owner))
    tops = shlex.join(dict.fromkeys(one.top for one in found))
    mend = f"sudo chown -R {me[0]}:{me[1]} {tops}"
    if first.owner == _ROOT and labs_up:
        mend = " && ".join([*(f"sudo ./lab down {lab}" for lab in labs_up), mend])
    sudo = " with sudo" if first.owner == _ROOT else ""
    return LabError(
        f"{first.path}{more} {'belong' if more else 'belongs'} to {owner}, not to {names.get(me[0], str(me[0]))}: "
        f"an earlier ./lab ran as that user{sudo}.",
        hint=mend,
    )


def check() -> None:
    """Raise LabError where this user cannot use what belongs to the checkout or lies in the cache."""
    found = sorted(set(_unusable()), key=lambda one: (one.owner == os.geteuid(), one.path))
    if found:
        names: dict[int, str] = {}
        for user in {os.geteuid(), found[0].owner}:
            with suppress(KeyError):
                names[user] = pwd.getpwuid(user).pw_name
        up = [lab for lab in checkout.labs_up(CHECKOUT) if (CHECKOUT / f"Pulumi.{lab}.yaml").exists()]
        raise problem(found, (os.geteuid(), os.getegid()), up, names)


def check_modes() -> None:
    """Raise LabError where the file system of the checkout keeps no modes, or no links."""
    probe, link = STATE / f"probe.{os.getpid()}", STATE / f"probe-link.{os.getpid()}"
    try:
        probe.touch(mode=0o600)
        probe.chmod(0o600)
        link.symlink_to(probe.name)
        if probe.stat().st_mode & 0o077 == 0:
            return
        lacks = "keeps no modes: ssh takes no key that others can read"
    except OSError as error:
        lacks = f"has no links or no modes ({error.strerror})"
    finally:
        for file in (probe, link):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    raise LabError(
        f"The file system of {CHECKOUT} {lacks}.", hint="clone into a folder on a Linux file system, such as your home"
    )


def _unusable() -> Iterator[Found]:
    if not (STATE.exists() and _RUNS.exists()):
        yield from _of(CHECKOUT, [CHECKOUT])
    yield from _of(STATE, _below(STATE))
    yield from _of(VENV, [VENV])
    yield from _of(_RUNS, [_RUNS, *_children(_RUNS)])
    # A lab's folder of sockets has its owner set by its server.
    shared = [path for path in _children(cache()) if not path.name.startswith(f"{PREFIX}-")]
    # In a cache that several share on purpose others' parts are there to be read.
    yield from (one for one in _of(cache(), [cache(), *shared]) if one.path == one.top or one.owner == _ROOT)


def _of(top: Path, paths: Iterable[Path]) -> Iterator[Found]:
    for path in paths:
        try:
            status = path.stat()
        except PermissionError:
            yield Found(str(path), str(top), _UNKNOWN)
            continue
        except OSError:
            continue
        if not os.access(path, os.R_OK | os.W_OK | (os.X_OK if S_ISDIR(status.st_mode) else 0)):
            yield Found(str(path), str(top), status.st_uid)


def _below(top: Path) -> Iterator[Path]:
    yield top
    for folder, folders, files in os.walk(top):
        yield from (Path(folder, name) for name in [*folders, *files])


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
