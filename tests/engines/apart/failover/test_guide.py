"""The lab goes without a trace, and its guide brings it up again, run as a reader runs it."""

from __future__ import annotations

import pytest

from tests.engines.apart.failover.site import LAB, Failover
from tests.engines.real import command
from tests.engines.test_life import traces
from tests.guides.guides import WALK_S, assert_walked

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1700)]


def test_down_leaves_nothing_whichever_servers_are_dead(site: Failover) -> None:
    """The first of each side among them, on which Pulumi made things."""
    for server in ("server-1", "server-4", "server-5"):
        site.kill(server)
    site.tool("down", LAB)
    assert traces(site.checkout) == {}


@pytest.mark.long
def test_every_fence_of_the_guide_works(site: Failover) -> None:
    """From a lab that is down to a lab that is down: executed fences == fences, each with status 0."""
    settings = (site.checkout / f"Pulumi.{LAB}.yaml").read_bytes()
    words = [str(site.checkout / "lab"), "guide", LAB, "--yes"]
    assert_walked(command(words, cwd=site.checkout, timeout_s=WALK_S, check=False), site.checkout, LAB)
    assert (site.checkout / f"Pulumi.{LAB}.yaml").read_bytes() == settings
