"""The guides that there are, and an eye of our own for their fences, independent of the parser under test."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LABS = sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml"))
APART = [lab for lab in LABS if (ROOT / "tests" / "engines" / "apart" / lab).is_dir()]
"""Labs that are brought up once for all tests of theirs, their guide's walk included, in a checkout of their own."""

WALK_S = 2700
"""Bound of a walk: without KVM it takes some ten minutes on an idle machine, nineteen have been seen beside others."""
TEST_S = WALK_S + 600
"""Bound of a test that needs one."""

_FENCE = re.compile(r"^```(sh|check)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def file(lab: str) -> Path:
    """A lab's guide."""
    return ROOT / "labs" / lab / "README.md"


def fences(lab: str) -> list[tuple[str, str]]:
    """Language and text of every fence that is to be run, as they stand in the file."""
    return [(match[1], match[2]) for match in _FENCE.finditer(file(lab).read_text(encoding="utf-8"))]


def journal(checkout: Path, lab: str) -> list[dict[str, Any]]:
    """What the newest walk in a checkout has executed."""
    file = checkout / ".state" / lab / "guide.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def assert_walked(done: subprocess.CompletedProcess[str], checkout: Path, lab: str) -> None:
    """A walk came to its end: executed fences == fences, each with status 0."""
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    executed = journal(checkout, lab)
    assert [(entry["language"], entry["text"]) for entry in executed] == fences(lab)
    assert {entry["status"] for entry in executed} == {0}
    assert "every check held" in done.stdout
