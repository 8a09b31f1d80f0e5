"""A checkout with a lab up is copied, then moved: nobody's data is lost. Its path has what paths may have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import plan
from infra.answers import Service
from infra.checkout import identify
from tests.engines.apart.kills import Site
from tests.engines.real import LAB, ROOT, command, engine
from tests.engines.test_life import traces, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.long]

ENTRY = {"client": "before-the-move", "seq": 1, "payload": "kept"}
WHERE = "a clone's ünï %23#"
"""A space, a quote, letters beyond ASCII, and what URLs, ssh and shells take for more than it is."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A checkout beside ours with its lab up on both sides; down at the end, wherever it lies then."""
    checkout = tmp_path / WHERE
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    site = Site(checkout)
    site.tool("setup", "--yes")
    try:
        site.tool("up", LAB)
        yield site
    finally:
        for folder in tmp_path.iterdir():
            Site(folder).tool("down", LAB, check=False)


def replicas(site: Site) -> list[str]:
    """URLs of what is up."""
    told = json.loads(site.tool("status", LAB, "--json").stdout)
    return [replica["url"] for replica in told[LAB]["replicas"]]


def objects(site: Site) -> list[str]:
    """What the lab has on the engine: ids of containers and networks, names of volumes."""
    label = f"label={plan.CHECKOUT_LABEL}={site.id}"
    kinds = (("ps", "-aq", "--no-trunc"), ("network", "ls", "-q", "--no-trunc"), ("volume", "ls", "-q"))
    return [engine(*words, "--filter", label) for words in kinds]


def test_a_copy_takes_nothing_and_a_moved_checkout_loses_nothing(site: Site, tmp_path: Path) -> None:
    """`up` of the copy is refused; that of the moved one goes on, once: the second changes nothing. Then down."""
    urls = replicas(site)
    assert len(urls) == 2
    for url in urls:
        with Service(url, 10) as service:
            assert service.post("/entries", json=ENTRY).status_code in (200, 201)
    assert site.tool("exec", "vm-1", "hostname").stdout.strip() == "vm-1"
    before, id_ = objects(site), site.id

    copy = Site(tmp_path / "copy")
    shutil.copytree(site.checkout, copy.checkout, symlinks=True)
    for words in (("up", LAB, "--yes"), ("down", LAB), ("clean", "--yes")):
        refused = copy.tool(*words, check=False)
        assert refused.returncode == 1
        assert f"is a copy of {site.checkout}, where {LAB} is up" in refused.stdout
    assert objects(site) == before
    shutil.rmtree(copy.checkout)

    moved = Site(site.checkout.rename(tmp_path / 'moved "%d"'))
    assert moved.id == id_
    assert moved.tool("exec", "vm-1", "hostname").stdout.strip() == "vm-1"
    moved.tool("up", LAB)
    for url in urls:
        found = wait_for(f"{url}/entries?client={ENTRY['client']}&after=0")
        assert [entry["payload"] for entry in found["entries"]] == ["kept"], url
    assert objects(moved) == before
    again = moved.tool("up", LAB).stdout
    assert " unchanged" in again
    assert not any(word in again for word in (" created", " replaced", " updated", " deleted")), again

    moved.tool("down", LAB)
    assert identify(moved.checkout).id == id_
    assert traces(moved.checkout) == {}
