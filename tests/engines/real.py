"""The tools of a person at the terminal, with a bound and a message each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra import outputs

ROOT = Path(__file__).parents[2]
LAB = "deployment"
UP_S = 400
SHORT_S = 120


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
        env=env,
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
