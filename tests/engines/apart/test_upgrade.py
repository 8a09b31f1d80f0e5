"""A lab that an earlier version brought up goes on with the one that is here now, with its data."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.answers import Service
from tests.engines.apart.kills import Site
from tests.engines.apart.test_moved import ENTRY, replicas
from tests.engines.real import LAB, ROOT, command
from tests.engines.test_life import traces, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(1800)]

EARLIER = "1b27c89811e273c08ff2ddc4555009405c2d6baa"
"""The last commit before the tool's modules got their rooms, contracts their reach and servers their role."""
_UP_S = 900


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A checkout of the earlier version; down at the end."""
    checkout = tmp_path / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    site = Site(checkout)
    try:
        yield site
    finally:
        site.tool("down", LAB, check=False)


def earlier_up(checkout: Path) -> None:
    """`./lab up` by the earlier version, with Python packages of its own."""
    now = command(["git", "-C", str(checkout), "rev-parse", "HEAD"]).stdout.strip()
    command(["git", "-C", str(checkout), "checkout", "-q", EARLIER])
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "VVC_TESTS", "PYTHON"))}
    words = ["./lab", "up", LAB, "--yes"]
    done = subprocess.run(
        words, cwd=checkout, env=env, capture_output=True, text=True, encoding="utf-8", timeout=_UP_S, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    command(["git", "-C", str(checkout), "checkout", "-q", now])


def test_a_lab_of_an_earlier_version_goes_on(site: Site) -> None:
    """The first `up` keeps the data, the second changes nothing; `down` leaves nothing."""
    earlier_up(site.checkout)
    urls = replicas(site)
    assert len(urls) == 2
    for url in urls:
        with Service(url, 10) as service:
            assert service.post("/entries", json=ENTRY).status_code in (200, 201)
    site.tool("up", LAB, "--yes")
    assert replicas(site) == urls
    for url in urls:
        found = wait_for(f"{url}/entries?client={ENTRY['client']}&after=0")
        assert [entry["payload"] for entry in found["entries"]] == ["kept"], url
    again = site.tool("up", LAB, "--yes").stdout
    assert " unchanged" in again
    assert not any(word in again for word in (" created", " replaced", " updated", " deleted")), again
    site.tool("down", LAB)
    assert traces(site.checkout) == {}
