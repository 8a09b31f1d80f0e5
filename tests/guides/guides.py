"""The guides that there are, and an eye of our own for their fences, independent of the parser under test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LABS = sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml"))
_FENCE = re.compile(r"^```(sh|check)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def file(lab: str) -> Path:
    """A lab's guide."""
    return ROOT / "labs" / lab / "README.md"


def fences(lab: str) -> list[tuple[str, str]]:
    """Language and text of every fence that is to be run, as they stand in the file."""
    return [(match[1], match[2]) for match in _FENCE.finditer(file(lab).read_text(encoding="utf-8"))]
