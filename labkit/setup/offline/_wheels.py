"""The wheels that stand in for the package index: where they lie, and how they get out of a class file.

Needs the standard library alone: the launcher runs it, by labkit.setup.offline.launcher, before there is a .venv.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from labkit.setup.offline import _archive

FOLDER = "wheels"
LIST = "requirements.txt"
"""In the folder of wheels: each with the hash of the file that lies beside it."""


def made_for(checkout: Path) -> Mapping[str, str]:
    """What wheels must fit: the pinned requirements, this Python, this architecture."""
    return {
        "requirements": hashlib.sha256((checkout / "requirements.txt").read_bytes()).hexdigest()[:12],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "architecture": platform.machine(),
    }


def folder(checkout: Path, cache: Path) -> Path:
    """Where the wheels for this checkout and this Python lie, if there are any."""
    return cache / FOLDER / "-".join(made_for(checkout).values())


def ready(checkout: Path, cache: Path) -> Path | None:
    """The folder of wheels, if it is there."""
    found = folder(checkout, cache)
    return found if (found / LIST).is_file() else None


def bring(file: Path, checkout: Path, cache: Path) -> Path:
    """Take the wheels out of a class file into the cache, unless they are there. Raises LabError."""
    found = ready(checkout, cache)
    if found is not None:
        _archive.check_made_for(_archive.read(file), made_for(checkout), file)
        return found
    cache.mkdir(parents=True, exist_ok=True)
    target = folder(checkout, cache)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=cache) as draft:
        _archive.unpack(file, Path(draft), made_for(checkout), only=f"{FOLDER}/")
        place(Path(draft) / FOLDER / target.name, target)
    return target


def place(new: Path, target: Path) -> None:
    """Rename a folder that is complete to its place; one that is there already stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(new)
        return
    try:
        new.rename(target)
    except OSError:
        # Another set-up was faster.
        if not target.is_dir():
            raise
