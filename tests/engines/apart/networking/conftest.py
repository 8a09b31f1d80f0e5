"""The lab networking, brought up once for all tests of this folder, in a checkout of its own: see tests/lanes.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import howtos
from tests.engines.apart.networking.site import LAB, Site
from tests.engines.real import UP_S


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its lab is up with a replica of each path; taken down at the end, if its guide has not done so."""
    made = Site(tmp_path_factory.mktemp("networking") / "checkout")
    howtos.copy(made.checkout)
    made.tool("setup", "--yes", timeout_s=UP_S)
    try:
        made.up()
        yield made
    finally:
        made.tool("down", LAB)
