"""The failover lab, brought up once for all tests of this folder, in a checkout of its own: see tests/lanes.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import howtos
from tests.engines.apart.failover.site import LAB, Failover


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failover]:
    """Each test goes on where the one before has ended; taken down at the end, if none of them has done so."""
    made = Failover(tmp_path_factory.mktemp("failover") / "checkout")
    howtos.copy(made.checkout)
    made.tool("setup", "--yes")
    try:
        made.up()
        yield made
    finally:
        made.tool("down", LAB, check=False)
