"""What a change of the checkout's files is told by: digests of folders, the commit of the service."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from infra import environment

_NOT_SOURCE = {"__pycache__", ".pytest_cache", ".mypy_cache"}
_GIT_S = 5


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


def service_commit(checkout: Path) -> str:
    """The last git commit that changed service/, 12 hexadecimal digits, "+" when there are changes since.

    "unknown" where this is no git checkout.
    """
    try:
        commit = _git(checkout, "log", "-1", "--format=%H", "--", "service")[:12]
        changed = _git(checkout, "status", "--porcelain", "--", "service")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit}{'+' if changed else ''}" if commit else "unknown"


def _git(checkout: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), *words],
        env=environment.for_git(os.environ),
        capture_output=True,
        text=True,
        timeout=_GIT_S,
        check=True,
        encoding="utf-8",
        errors="replace",
    ).stdout.strip()
