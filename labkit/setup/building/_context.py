"""What an image is made from, as an engine gets it: the same bytes from every clone.

Modes, owners and times of a clone are its umask's, its file system's and its day's; here they are decided by what the
files are. So an image depends on contents and names alone, and so does its digest.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

DIGITS = 12
_FOLDER, _PROGRAM, _FILE = 0o755, 0o755, 0o644


def digest(*sources: Path, salt: str = "") -> str:
    """SHA-256 over names and contents of files and of all files in folders, and a salt."""
    total = hashlib.sha256(salt.encode())
    for name, file in files(*sources).items():
        total.update(f"\0{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return total.hexdigest()[:DIGITS]


def file_digest(file: Path) -> str:
    """SHA-256 of one file, however large."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGITS]


def files(*sources: Path) -> dict[str, Path]:
    """Files, and all files in folders, by their name below the folder that holds the source."""
    found: dict[str, Path] = {}
    for source in sources:
        inside = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        found |= {file.relative_to(source.parent).as_posix(): file for file in inside}
    return found


def mode(content: bytes) -> int:
    """Mode of a file with this content: what begins with #! is a program."""
    return _PROGRAM if content.startswith(b"#!") else _FILE


def pack(contents: Mapping[str, Path | bytes]) -> io.BytesIO:
    """A tar file of these, by their names in it, with the folders they lie in."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folders = {str(parent) for name in contents for parent in PurePosixPath(name).parents} - {"."}
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, _FOLDER
            archive.addfile(entry)
        for name, source in sorted(contents.items()):
            content = source if isinstance(source, bytes) else source.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode(content), len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def settle(folder: Path) -> None:
    """Give a folder and all in it fixed modes: what others read must not depend on the umask of who made it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(_FOLDER if path.is_dir() else _FILE)
