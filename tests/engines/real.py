"""The tools of a person at the terminal, with a bound and a message each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra import outputs

ROOT = Path(__file__).parents[2]
LAB = "deployment"
UP_S = 900
"""Bound of a bring-up, which takes two minutes on an idle machine without KVM, beside other work four and more."""
SHORT_S = 240
"""Bound of what takes some seconds, or half a minute."""
PATIENT = {"VVC_SSH_TIMEOUT_S": "600", "VVC_READY_TIMEOUT_S": "300", "VVC_PLAYBOOK_TIMEOUT_S": "900"}
"""What a person sets on a slow machine: these tests run beside others, on one that may be busy besides."""


def tool(
    *words: str, timeout_s: float = SHORT_S, check: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """./lab with these words, in this checkout; `env` is another environment than this process's."""
    return command([str(ROOT / "lab"), *words], timeout_s=timeout_s, check=check, env=env)


def command(
    words: list[str],
    *,
    timeout_s: float = SHORT_S,
    check: bool = True,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command with a bound; when it fails its output is the test's message."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**(os.environ if env is None else env), **PATIENT},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        encoding="utf-8",
    )
    if check and done.returncode != 0:
        pytest.fail(f"{words} ended with {done.returncode}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")
    return done


def pulumi(*words: str, timeout_s: float = SHORT_S, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Plain pulumi in the environment of `./lab env` (which `./lab test` has given this process)."""
    return command(["pulumi", *words, "-s", LAB, "--non-interactive"], timeout_s=timeout_s, check=check)


def contract() -> outputs.Contract:
    """What the lab that is up exports."""
    return outputs.from_outputs(json.loads(pulumi("stack", "output", "--json").stdout))


def inside(replica: str, *words: str, check: bool = True) -> str:
    """Output of a command inside a replica."""
    return tool("exec", replica, *words, check=check).stdout.strip()


def engine(*words: str, check: bool = True) -> str:
    """Output of the docker CLI on the laptop's engine."""
    return command(["docker", *words], check=check).stdout.strip()
