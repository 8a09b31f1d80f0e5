"""One replica for the tests that do it no harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.answers import Service
from tests.service.running import Replica, replica


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica with an empty database."""
    with replica(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def http(shared: Replica) -> Iterator[Service]:
    """A client of the shared replica."""
    with shared.client() as client:
        yield client


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory."""
    path = tmp_path / "data"
    path.mkdir()
    return path
