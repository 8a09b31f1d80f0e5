"""Small class files, whole and damaged."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.setup.offline import _archive
from labkit.setup.offline._archive import Manifest

MADE_FOR = {"requirements": "abc", "python": "3.11"}


def write(folder: Path, contents: Mapping[str, str], made_for: Mapping[str, str] = MADE_FOR) -> Path:
    """A whole file with these parts."""
    sources = {}
    for path, text in contents.items():
        sources[path] = folder / "sources" / path
        sources[path].parent.mkdir(parents=True, exist_ok=True)
        sources[path].write_text(text, encoding="utf-8")
    parts = tuple(_archive.part(file, path) for path, file in sources.items())
    target = folder / "class.vvc"
    _archive.write(target, Manifest(made_for, parts, "c0ffee"), sources, lambda _: None)
    return target


def rewrite(file: Path, manifest: Mapping[str, Any] | None = None, members: Mapping[str, str] | None = None) -> None:
    """Change a file's manifest, or put members into it, behind the back of its manifest."""
    with tarfile.open(file) as archive:
        there = {}
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            there[member.name] = stream.read() if stream else b""
    if manifest is not None:
        there["manifest.json"] = json.dumps({**json.loads(there["manifest.json"]), **manifest}).encode()
    there.update({name: text.encode() for name, text in (members or {}).items()})
    with tarfile.open(file, "w:gz") as archive:
        for name, data in there.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
