"""Labels of what a test makes beside this checkout's labs: `./lab clean`, which another test types, leaves it be."""

from __future__ import annotations

from pathlib import Path

from infra.checkout import identify
from infra.plan import labels


def labels_of(folder: Path, lab: str) -> dict[str, str]:
    """Labels of a checkout in name only, in a test's folder; what an interrupted suite leaves is found by it."""
    (folder / "infra").mkdir(exist_ok=True)
    for file in (folder / "lab", folder / "infra" / "plan.py"):
        file.touch()
    return labels(identify(folder).id, lab)
