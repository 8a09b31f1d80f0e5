"""Plain `pulumi`, typed without `./lab env` and without `./lab setup`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engines.real import LAB, ROOT, SHORT_S

pytestmark = pytest.mark.engine

PROGRAM = ("__main__.py", "Pulumi.yaml", f"Pulumi.{LAB}.yaml", "requirements.txt", "infra")


def plain(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Pulumi in this folder, told by the environment nothing but the passphrase."""
    env = {key: value for key, value in os.environ.items() if key != "PULUMI_BACKEND_URL"}
    return subprocess.run(
        ["pulumi", *words],
        cwd=folder,
        env={**env, "PULUMI_CONFIG_PASSPHRASE": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SHORT_S,
        check=False,
        encoding="utf-8",
    )


def test_it_finds_the_labs_own_state() -> None:
    """Not the backend that the person is logged in to."""
    listed = plain(ROOT, "stack", "ls", "--json")
    assert LAB in {stack["name"] for stack in json.loads(listed.stdout)}, listed.stderr


def test_before_set_up_the_program_says_what_to_do(tmp_path: Path) -> None:
    """In a fresh clone, at a path with a space: one sentence, no traceback, nothing made."""
    clone = tmp_path / "a fresh clone"
    (clone / ".state" / "pulumi").mkdir(parents=True)
    for name in PROGRAM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    assert plain(clone, "stack", "init", LAB, "--no-select", "--non-interactive").returncode == 0
    for words in (("preview",), ("up", "--yes", "--skip-preview")):
        ended = plain(clone, *words, "-s", LAB, "--non-interactive")
        told = ended.stdout + ended.stderr
        assert ended.returncode != 0
        assert "error: This checkout is not set up. Run: ./lab setup" in told
        assert "Traceback" not in told
        assert "exited with" not in told
    assert not (clone / ".state" / LAB).exists()
