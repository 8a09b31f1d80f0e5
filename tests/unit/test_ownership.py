"""Once with sudo, then without: whose files these are, and the command that mends it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.setup import ownership
from labkit.setup.ownership import Found, problem
from labkit.system.errors import LabError

NAMES = {0: "root", 1000: "alice", 1001: "bob"}
STATE, RUNS = "/a b/.state", "/a b/runs"


@pytest.mark.parametrize(
    ("found", "labs_up", "told", "hint"),
    [
        (
            [Found(STATE, STATE, 0)],
            [],
            "/a b/.state belongs to root, not to alice: an earlier ./lab ran as that user with sudo.",
            "sudo chown -R 1000:100 '/a b/.state'",
        ),
        (
            [Found(f"{STATE}/pulumi", STATE, 0), Found(RUNS, RUNS, 0)],
            ["deployment"],
            "/a b/.state/pulumi and 1 more belong to root, not to alice: an earlier ./lab ran as that user with sudo.",
            "sudo ./lab down deployment && sudo chown -R 1000:100 '/a b/.state' '/a b/runs'",
        ),
        (
            [Found(RUNS, RUNS, 1001)],
            [],
            "/a b/runs belongs to bob, not to alice: an earlier ./lab ran as that user.",
            "sudo chown -R 1000:100 '/a b/runs'",
        ),
        (
            [Found(STATE, STATE, 1000)],
            [],
            "/a b/.state cannot be written to; ./lab keeps its state in the checkout.",
            "chmod -R u+rwX '/a b/.state'; or, where the file system is read-only, use a checkout in another folder",
        ),
        (
            [Found("/root/.cache", "/root/.cache", -1)],
            [],
            "/root/.cache cannot be reached by alice.",
            "HOME, or VVC_CACHE, must name a folder of this user",
        ),
    ],
)
def test_one_line_says_whose_files_these_are(found: list[Found], labs_up: list[str], told: str, hint: str) -> None:
    """And the next step is the command that mends it, the labs of the other user included."""
    error = problem(found, (1000, 100), labs_up, NAMES)
    assert (error.problem, error.hint) == (told, hint)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with state, packages and runs."""
    for name in (".state/pulumi/.pulumi/stacks", ".state/logs", ".venv", "runs/deployment", "cache/guest-1"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(ownership, "CHECKOUT", tmp_path)
    monkeypatch.setattr(ownership, "STATE", tmp_path / ".state")
    monkeypatch.setattr(ownership, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(ownership, "_RUNS", tmp_path / "runs")
    monkeypatch.setenv("VVC_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [".state", ".state/logs/one.log", ".state/pulumi/.pulumi/stacks/x.json", ".venv", "runs/deployment", "cache"],
)
def test_whatever_cannot_be_used_is_found(name: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep in the state it lies. A checkout that is as it should be passes."""
    file = checkout / name
    if not file.exists():
        file.touch()
    ownership.check()
    usable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file and usable(path, mode))
    with pytest.raises(LabError) as told:
        ownership.check()
    assert str(file) in told.value.problem


def test_a_file_system_without_modes_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As FAT, or a Windows folder in WSL: everything is 0777, whatever one asks for."""
    ownership.check_modes()
    set_mode = Path.chmod
    monkeypatch.setattr(Path, "chmod", lambda path, _mode: set_mode(path, 0o666))
    with pytest.raises(LabError, match="keeps no modes: ssh takes no key"):
        ownership.check_modes()
    monkeypatch.undo()
    assert not list((checkout / ".state").glob("probe*"))
