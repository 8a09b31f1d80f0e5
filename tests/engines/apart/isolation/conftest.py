"""The lab isolation, brought up once for all tests of this folder, in a checkout of its own: see tests/lanes.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import howtos
from tests.engines.apart.isolation.site import LAB, Isolation


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isolation]:
    """Its lab is up with two replicas a side; taken down at the end, if its guide has not done so."""
    made = Isolation(tmp_path_factory.mktemp("isolation") / "checkout")
    howtos.copy(made.checkout)
    made.tool("setup", "--yes")
    try:
        made.up()
        yield made
    finally:
        made.tool("down", LAB, check=False)
