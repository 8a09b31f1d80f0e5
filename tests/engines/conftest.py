"""The real lab, brought up once for the tests that only look at it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from infra import outputs
from tests.engines.real import LAB, UP_S, contract, tool


@pytest.fixture(scope="session")
def up() -> Iterator[subprocess.CompletedProcess[str]]:
    """`./lab up deployment` as a person types it; taken down at the end."""
    assert os.environ.get("DOCKER_HOST"), "run this by ./lab test"
    tool("down", LAB)
    try:
        yield tool("up", LAB, "--yes", timeout_s=UP_S)
    finally:
        tool("down", LAB)


@pytest.fixture(scope="session")
def lab(up: Any) -> outputs.Contract:
    """The contract of the lab that is up."""
    return contract()
