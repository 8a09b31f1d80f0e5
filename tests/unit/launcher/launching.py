"""How ./lab is started in that copy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., None])

ROOT = Path(__file__).parents[3]
FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
"""A package index that nobody reaches."""


def with_pip(test: Test) -> Test:
    """It makes a real .venv: seconds for each, where most need to see only that one is made."""
    return pytest.mark.slow(pytest.mark.usefixtures("pip")(test))  # type: ignore[no-any-return]


def lab(
    program: Path, *arguments: str, cwd: Path = Path("/"), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ./lab without a terminal."""
    path = f"{program.parent.parent / 'python'}:{FOLDERS}"
    return subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        env={"PATH": path, "HOME": "/nonexistent"} | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        encoding="utf-8",
    )
