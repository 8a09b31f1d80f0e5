"""Digests of recipes: what an image is made from, in 12 hexadecimal digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

DIGITS = 12


def digest(*sources: Path, salt: str = "") -> str:
    """SHA-256 over names, executable bits and contents of files and of all files in folders, and a salt."""
    total = hashlib.sha256(salt.encode())
    for source in sources:
        files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        for file in files:
            name = file.relative_to(source.parent).as_posix()
            executable = bool(file.stat().st_mode & 0o100)
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            total.update(f"\0{name}\0{executable}\0{content}".encode())
    return total.hexdigest()[:DIGITS]


def file_digest(file: Path) -> str:
    """SHA-256 of one file, however large."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGITS]
