"""./lab test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from labkit import pulumi
from labkit.commands import setup
from labkit.paths import CHECKOUT


def run(arguments: Sequence[str], *, long: bool, yes: bool) -> int:
    """Set up, then run ruff, mypy and pytest; pytest's closing line comes last."""
    ready = setup.prepare(yes=yes, tests=True)
    env = {**os.environ, **pulumi.environment(ready.toolchain, ready.machine.docker_host), "VVC_TESTS": "1"}
    python = [sys.executable, "-m"]
    checks = [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "mypy"],
    ]
    selection = [] if long else ["-m", "not long"]
    failed = [check for check in checks if subprocess.run(check, cwd=CHECKOUT, env=env, check=False).returncode != 0]
    tests = subprocess.run([*python, "pytest", *selection, *arguments], cwd=CHECKOUT, env=env, check=False)
    return tests.returncode or (1 if failed else 0)
