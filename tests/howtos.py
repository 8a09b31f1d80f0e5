"""The how-to pages whose fences are executed, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.environment import for_python
from labkit.lifecycle import suite

ROOT = Path(__file__).parents[1]
ENGINES = "On the engines"
"""Heading below which a page's fences need the engines."""

_PART = re.compile(r"^## (?P<section>[^\n]+)$|^```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """What a reader types, and the heading above it."""

    section: str
    text: str


def copy(target: Path) -> None:
    """A copy of this checkout in which there is no lab of the name that the pages use, with a .venv of its own."""
    suite.copy(ROOT, target)
    suite.make_venv(ROOT, target)
    shutil.rmtree(target / "labs" / "demo", ignore_errors=True)
    (target / "Pulumi.demo.yaml").unlink(missing_ok=True)


def fences(page: str) -> list[Fence]:
    """All that a page of docs/howto has the reader run, in order."""
    found: list[Fence] = []
    section = ""
    for match in _PART.finditer((ROOT / "docs" / "howto" / f"{page}.md").read_text(encoding="utf-8")):
        section = match["section"] or section
        if match["text"]:
            found.append(Fence(section, match["text"]))
    return found


def execute(fence: Fence, checkout: Path, within_s: float) -> str:
    """Run it as a reader does, in the checkout's folder; what it printed."""
    done = subprocess.run(
        ["sh", "-ec", fence.text],
        cwd=checkout,
        env=for_python(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=within_s,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{fence.text}\nended with {done.returncode}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")
    return done.stdout
