"""What a change of the checkout's files is told by: digests of folders, git's commits."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from infra import environment

_NOT_SOURCE = {"__pycache__", ".pytest_cache", ".mypy_cache"}
_GIT_S = 30


def tree_digest(*folders: Path) -> str:
    """12 hexadecimal digits over names and contents of all files below these folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if not file.is_file() or _NOT_SOURCE & set(file.parts):
                continue
            digest.update(f"{file.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def text_digest(text: str) -> str:
    """6 hexadecimal digits of a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:6]


def commit(checkout: Path, *below: str) -> str:
    """The last git commit of a checkout, or that changed something below some of its folders.

    12 hexadecimal digits, "+" when there are changes since; "unknown" where this is no git checkout.
    """
    where = ["-C", str(checkout)]
    try:
        last = git(*where, "rev-list", "--max-count=1", "HEAD", "--", *below)[:12]
        changed = git(*where, "status", "--porcelain", "--", *below)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{last}{'+' if changed else ''}" if last else "unknown"


def git(*words: str, within_s: float = _GIT_S, check: bool = True) -> str:
    """What git says; names that are no UTF-8 come as `os.fsdecode` has them.

    Raises OSError where there is no git, subprocess.SubprocessError where it fails (unless not to `check`) or takes
    too long.
    """
    return subprocess.run(
        ["git", *words],
        env=environment.for_git(os.environ),
        capture_output=True,
        text=True,
        timeout=within_s,
        check=check,
        encoding="utf-8",
        errors="surrogateescape",
    ).stdout
