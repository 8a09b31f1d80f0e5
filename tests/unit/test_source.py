"""Which commit this is: one format for a run, the service's image, a class's file and a bug report."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from infra import source
from labkit.lifecycle import bug_report
from tests.unit.sources import parsed
from tests.unit.test_house import ROOT, SOURCES

GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with two commits; the second one leaves service/ alone."""
    (tmp_path / "service").mkdir()
    for number, file in enumerate(("service/api.py", "README.md")):
        (tmp_path / file).write_text(str(number), encoding="utf-8")
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", file]):
            subprocess.run([*GIT, *words], cwd=tmp_path, check=True, timeout=20)
    return tmp_path


def head(checkout: Path, back: int = 0) -> str:
    """What git itself calls a commit."""
    words = ["git", "-C", str(checkout), "rev-parse", f"HEAD~{back}"]
    return subprocess.check_output(words, text=True, timeout=20, encoding="utf-8").strip()


def test_a_commit_is_twelve_digits_and_a_plus_where_there_are_changes(checkout: Path) -> None:
    """Of the whole checkout or of a folder, whichever is asked for."""
    assert source.commit(checkout) == head(checkout)[:12]
    assert source.commit(checkout, "service") == head(checkout, 1)[:12]
    (checkout / "new").touch()
    assert source.commit(checkout) == f"{head(checkout)[:12]}+"
    assert source.commit(checkout, "service") == head(checkout, 1)[:12]
    (checkout / "service" / "api.py").write_text("changed", encoding="utf-8")
    assert source.commit(checkout, "service") == f"{head(checkout, 1)[:12]}+"


def test_what_has_no_commit_is_unknown(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository, no commit yet, no such folder, no git."""
    assert source.commit(checkout, "nowhere") == "unknown"
    bare = tmp_path / "bare"
    bare.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=bare, check=True, timeout=20)
    assert source.commit(bare) == "unknown"
    assert source.commit(Path("/proc")) == "unknown"
    monkeypatch.setenv("PATH", "/nowhere")
    assert source.commit(checkout) == "unknown"


def test_a_git_hook_of_another_repository_does_not_mislead(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has GIT_DIR and the like in its environment."""
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_WORK_TREE", "/nowhere")
    told = source.commit(checkout)
    monkeypatch.undo()
    assert told == head(checkout)[:12]


def test_everybody_names_a_commit_alike() -> None:
    """A bug report tells what a run of this checkout is told."""
    told = bug_report.versions()["commit"]
    assert told == source.commit(ROOT)
    assert re.fullmatch(r"[0-9a-f]{12}\+?|unknown", told)


def test_git_is_asked_in_one_place() -> None:
    """No other file begins a command with it."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.List | ast.Tuple)
        and node.elts
        and isinstance(node.elts[0], ast.Constant)
        and node.elts[0].value == "git"
    ]
    assert [place.split(":")[0] for place in wrong] == ["infra/source.py"], wrong
