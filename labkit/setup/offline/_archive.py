"""The file from which a class sets up offline: a packed tar whose first member says what must follow.

`manifest.json` names every part with its size and SHA-256, and what the parts were made for. Whoever reads the file
believes nothing of it before that: parts go into a folder of their own and are handed out only when all are right.
Needs the standard library alone, as it runs before there is a .venv.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.system.errors import LabError
from labkit.system.files import draft_of

FORMAT = "vm-vs-container class file"
SCHEMA_VERSION = 1
_MANIFEST = "manifest.json"
_MANIFEST_MAX_BYTES = 4 * 2**20
_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
"""How a packed file begins."""

_LEVEL = 1
"""Most of it is packed already."""


@dataclass(frozen=True)
class Part:
    """A file: its path below the cache's folder, its size, its digest."""

    path: str
    bytes: int
    sha256: str
    executable: bool


@dataclass(frozen=True)
class Manifest:
    """What the file holds. `made_for` must be equal, name by name, to what the importing checkout asks for."""

    made_for: Mapping[str, str]
    parts: tuple[Part, ...]
    commit: str = "unknown"
    """Of the checkout that wrote the file; for people."""

    @property
    def bytes(self) -> int:
        """Size of all parts, unpacked."""
        return sum(part.bytes for part in self.parts)


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def part(file: Path, path: str) -> Part:
    """A file as a part of this path."""
    return Part(path, file.stat().st_size, digest(file), os.access(file, os.X_OK))


def write(target: Path, manifest: Manifest, sources: Mapping[str, Path], detail: Callable[[str], None]) -> None:
    """Write the file, whole or not at all. `sources`: path of each part -> where it lies. Raises LabError."""
    head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **asdict(manifest)}
    data = (json.dumps(head, indent=1) + "\n").encode()
    try:
        with draft_of(target) as draft, tarfile.open(draft, "w:gz", compresslevel=_LEVEL) as archive:
            archive.addfile(_entry(_MANIFEST, len(data), executable=False), io.BytesIO(data))
            for one in manifest.parts:
                detail(one.path)
                with sources[one.path].open("rb") as stream:
                    archive.addfile(_entry(one.path, one.bytes, executable=one.executable), stream)
    except OSError as error:
        raise LabError(
            f"{target} could not be written: {error.strerror or error}", hint="./lab setup --export FILE"
        ) from error


def _entry(name: str, size: int, *, executable: bool) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o755 if executable else 0o644
    return entry


def read(file: Path) -> Manifest:
    """The manifest. Raises LabError where the file is none of ours, or of another version."""
    try:
        with gzip.open(file) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            return _manifest(archive, file)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        if _is_packed(file):
            raise _damaged(file, str(error) or type(error).__name__) from error
        raise _foreign(file, error) from error


def _is_packed(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(_GZIP)) == _GZIP
    except OSError:
        return False


def unpack(
    file: Path,
    folder: Path,
    made_for: Mapping[str, str],
    *,
    only: str = "",
    detail: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Unpack the parts whose path begins with `only` into an empty folder; every one of them is checked.

    Raises LabError when the file is foreign, of another version, made for something else, cut short or damaged; what
    is in the folder then is of no use.
    """
    read(file)
    try:
        with gzip.open(file) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            manifest = _manifest(archive, file)
            check_made_for(manifest, made_for, file)
            wanted = {one.path: one for one in manifest.parts}
            while (member := archive.next()) is not None:
                one = wanted.pop(member.name, None)
                if one is None or not member.isfile() or member.size != one.bytes:
                    raise _damaged(file, f"{member.name} is not what its manifest says")
                if one.path.startswith(only):
                    detail(one.path)
                    _take(archive, member, one, folder, file)
            # The end has a checksum of the whole.
            while packed.read(_CHUNK):
                pass
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) != file:
            raise LabError(f"{error.filename}: {error.strerror}", hint="free some space, or set VVC_CACHE") from error
        raise _damaged(file, str(error) or type(error).__name__) from error
    if wanted:
        raise _damaged(file, f"{len(wanted)} parts are missing, such as {next(iter(wanted))}")
    return manifest


def check_made_for(manifest: Manifest, made_for: Mapping[str, str], file: Path) -> None:
    """Raise LabError naming all that the file was made for and this checkout or machine is not."""
    differ = [
        f"  {name}: the file has {manifest.made_for.get(name, 'nothing')}, here it is {here}"
        for name, here in made_for.items()
        if manifest.made_for.get(name) != here
    ]
    if differ:
        raise LabError(
            f"{file} was made for something else (commit {manifest.commit}):\n" + "\n".join(differ),
            hint="make a new one where there is a network, from this commit: ./lab setup --export FILE",
        )


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, one: Part, folder: Path, file: Path) -> None:
    target = folder / one.path
    target.parent.mkdir(parents=True, exist_ok=True)
    total = hashlib.sha256()
    source = archive.extractfile(member)
    if source is None:
        raise _damaged(file, f"{member.name} is no file")
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            total.update(chunk)
            out.write(chunk)
    if total.hexdigest() != one.sha256:
        raise _damaged(file, f"{one.path} has another digest than its manifest says")
    target.chmod(0o755 if one.executable else 0o644)


def _manifest(archive: tarfile.TarFile, file: Path) -> Manifest:
    first = archive.next()
    if first is None or first.name != _MANIFEST or not first.isfile() or first.size > _MANIFEST_MAX_BYTES:
        raise _foreign(file, "it does not begin with a manifest")
    stream = archive.extractfile(first)
    try:
        given: dict[str, Any] = json.loads(stream.read() if stream is not None else b"")
        kind, version = given["format"], given["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise _foreign(file, "its manifest cannot be read") from error
    if kind != FORMAT:
        raise _foreign(file, f"it is a {kind!r}")
    if version != SCHEMA_VERSION:
        raise LabError(
            f"{file} has version {version!r} of the class file; this tool reads {SCHEMA_VERSION}.",
            hint="make a new one from this commit: ./lab setup --export FILE",
        )
    try:
        parts = tuple(Part(**one) for one in given["parts"])
        manifest = Manifest(dict(given["made_for"]), parts, str(given["commit"]))
    except (TypeError, KeyError, ValueError) as error:
        raise _foreign(file, "its manifest is incomplete") from error
    _check_paths(parts, file)
    return manifest


def _check_paths(parts: Iterable[Part], file: Path) -> None:
    seen: set[str] = set()
    for one in parts:
        path = PurePosixPath(one.path)
        if path.is_absolute() or ".." in path.parts or str(path) != one.path or one.path in seen:
            raise _foreign(file, f"the path {one.path!r} is not one of a part")
        seen.add(one.path)


def _foreign(file: Path, why: object) -> LabError:
    if isinstance(why, OSError) and why.strerror:
        return LabError(f"{file}: {why.strerror}", hint="./lab setup --import FILE")
    return LabError(
        f"{file} is no class file of vm-vs-container: {why}.", hint="one is made by ./lab setup --export FILE"
    )


def _damaged(file: Path, why: str) -> LabError:
    return LabError(f"{file} is damaged or cut short: {why}. Nothing was taken from it.", hint="copy the file again")
