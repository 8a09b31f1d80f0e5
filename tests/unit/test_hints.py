"""Every error names its next step where it is raised, and no verb names itself: that is what has just failed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.sources import parsed

ROOT = Path(__file__).parents[2]
FILES = [file for room in ("bench", "labkit", "labs") for file in sorted((ROOT / room).rglob("*.py"))]
OWN = {"GuideError"}
"""Brings its next step itself."""

VERBS = sorted((ROOT / "labkit" / "commands").glob("*.py"))


@cache
def _errors() -> frozenset[str]:
    """LabError and all that are made from it."""
    found = {"LabError"}
    for file in FILES:
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in found for b in node.bases):
                found.add(node.name)
    return frozenset(found - {"CommandError"})


def _raised(file: Path) -> Iterator[ast.Call]:
    names = _errors()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def _literal(call: ast.Call) -> str:
    """What is certain of a hint's text: a name stands for its place."""
    value = next((word.value for word in call.keywords if word.arg == "hint"), None)
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in value.values)
    return ""


def test_every_error_names_its_next_step() -> None:
    """Where it is raised, as nobody knows better."""
    without = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in FILES
        for call in _raised(file)
        if not any(word.arg == "hint" for word in call.keywords) and call.func.id not in OWN  # type: ignore[attr-defined]
    ]
    assert not without


@pytest.mark.parametrize("file", VERBS, ids=lambda file: file.stem)
def test_no_verb_names_itself(file: Path) -> None:
    """The command that has just failed is no next step, unless it is another one: other words, another lab's."""
    verb = file.stem.rstrip("_").split("_")[0]
    itself = {f"./lab {verb}", f"./lab {verb} X", f"./lab {verb} again", f"./lab {verb} X again"}
    assert not [_literal(call) for call in _raised(file) if _literal(call) in itself]


VAGUE = ("again", "run it again", "the same again", "try again", "the same command again", "run the same command again")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_next_step_is_only_the_same_again(file: Path) -> None:
    """Without what has changed meanwhile it fails again."""
    assert not [_literal(call) for call in _raised(file) if _literal(call).lower().rstrip(".") in VAGUE]
