""".ci/run: the README's commands in order; it fails when the tests fail, or the lab that was up is not as before."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAB = """#!/bin/sh
echo "lab $*" >>calls
[ -z "$(cat)" ] || exit 9
case $1 in
    test) echo "= 3 passed in 1.00s ="; exit {test} ;;
    down) exit {down} ;;
    up) exit {up} ;;
esac
"""
LOOK = """#!/bin/sh
echo "look $1" >>calls
[ "$1" = note ] || exit {check}
"""


@pytest.mark.parametrize(
    ("fates", "status"),
    [
        ({}, 0),
        ({"test": 1}, 1),
        ({"test": 5}, 5),
        ({"check": 1}, 1),
        ({"down": 1}, 1),
        ({"test": 4, "check": 1, "down": 1}, 4),
    ],
)
def test_whatever_fails_fails_the_run(tmp_path: Path, fates: dict[str, int], status: int) -> None:
    """In a path with a space; pytest's closing line is the last one on stdout, and the lab is taken down."""
    folder = tmp_path / "a checkout"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    every = {"test": 0, "check": 0, "down": 0, "up": 0, **fates}
    for name, text in (("lab", LAB), (".ci/lab_is_as_before", LOOK)):
        (folder / name).write_text(text.format(**every), encoding="utf-8")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        [folder / ".ci" / "run"], capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
    )
    assert done.returncode == status
    assert done.stdout.splitlines()[-1] == "= 3 passed in 1.00s ="
    assert (folder / "calls").read_text(encoding="utf-8").splitlines() == [
        "lab up deployment --yes",
        "look note",
        "lab test --yes",
        "look check",
        "lab down deployment",
    ]


def test_a_lab_that_does_not_come_up_fails_the_run(tmp_path: Path) -> None:
    """No test is run."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "lab").write_text(LAB.format(up=1, test=0, down=0), encoding="utf-8")
    (tmp_path / "lab").chmod(0o755)
    done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "lab up deployment --yes\n"
