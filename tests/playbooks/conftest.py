"""One real guest for all tests of the playbooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labkit.setup.building import images
from labkit.setup.docker import engine
from tests.playbooks.guest import Guest, boot


@pytest.fixture(scope="package")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A guest that has just begun to boot."""
    found = engine.connect()
    assert found is not None, "no Docker Engine answers: run ./lab setup"
    with found.client() as client:
        made = images.find(client)
        assert made is not None, "the images are missing: run ./lab setup"
        with boot(client, made, tmp_path_factory.mktemp("a guest")) as running:
            yield running


@pytest.fixture(scope="package")
def first(guest: Guest) -> dict[str, Any]:
    """The result of the first converge."""
    return guest.play()
