"""What `./lab test` runs at the same time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.lanes import lane
from tests.unit.sources import parsed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("test", "its"),
    [
        ("tests/engines/test_life.py::test_a[x::y]", (-2, "lab")),
        ("tests/engines/test_leftovers.py::test_a", (-1, "lab")),
        ("tests/guides/test_engine.py::test_a", (0, "lab")),
        ("tests/engines/apart/networking/test_paths.py::test_a", (-1, "networking")),
        ("tests/engines/apart/networking/test_guide.py::test_a", (0, "networking")),
        ("tests/engines/apart/failover/test_faults.py::test_a", (-1, "failover")),
        ("tests/engines/apart/failover/test_guide.py::test_a", (0, "failover")),
        ("tests/engines/apart/debian13/test_x.py::test_a", (1, "tests/engines/apart/debian13/test_x.py")),
        ("tests/engines/apart/test_kills.py::test_a", (1, "tests/engines/apart/test_kills.py")),
        ("tests/playbooks/test_converge.py::test_a", (1, "tests/playbooks")),
        ("tests/unit/test_lanes.py::test_a", (2, "tests/unit/test_lanes.py")),
        ("../elsewhere/test_b.py", (2, "../elsewhere/test_b.py")),
    ],
)
def test_lanes(test: str, its: tuple[int, str]) -> None:
    """All that works on the checkout's lab is one of them, and the first to begin; the guides begin without a lab.

    So is all that works on one lab of another checkout: the two never meet, and its guide comes last.
    """
    assert lane(test) == its


@pytest.mark.parametrize("file", sorted((ROOT / "tests/engines/apart").rglob("*.py")), ids=lambda file: file.name)
def test_what_is_apart_does_not_touch_the_checkouts_lab(file: Path) -> None:
    """Neither by the fixtures that bring it up nor by the tools that work on it."""
    tree = parsed(file)
    wanted = {
        name.name
        for one in ast.walk(tree)
        if isinstance(one, ast.ImportFrom) and one.module == "tests.engines.real"
        for name in one.names
    }
    outputs = {ast.unparse(one.annotation) for one in ast.walk(tree) if isinstance(one, ast.arg) and one.annotation}
    assert not wanted & {"tool", "pulumi", "contract", "inside"}
    assert "outputs.Contract" not in outputs
