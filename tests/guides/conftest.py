"""One walk through the guide of each lab, for all tests that look at what it did."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from labkit.runs import run_folder
from labkit.runs.records import Run
from tests.engines.real import LAB, tool
from tests.guides.guides import APART, LABS, WALK_S

HERE = [lab for lab in LABS if lab not in APART]
"""Labs whose guide is walked on this checkout's own."""


@pytest.fixture(params=HERE)
def lab(request: pytest.FixtureRequest) -> Iterator[str]:
    """A lab that is down before and after."""
    name: str = request.param
    tool("down", name)
    try:
        yield name
    finally:
        tool("down", name)


@cache
def walked(lab: str) -> subprocess.CompletedProcess[str]:
    """`./lab guide LAB --yes` from a lab that is down, once, whether it succeeds or not."""
    tool("down", lab)
    try:
        return tool("guide", lab, "--yes", timeout_s=WALK_S, check=False)
    finally:
        tool("down", lab)


@pytest.fixture(scope="session")
def run() -> Run:
    """What the experiments size, start, resources and operating-system have left, run as the guide says."""
    done = walked(LAB)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return run_folder.load(run_folder.find(LAB))
