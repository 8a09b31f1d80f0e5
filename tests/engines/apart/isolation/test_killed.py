"""An experiment that is killed while it works: the next `up` puts right all that it left, inside the lab and beside."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from infra import answers
from labkit.measure import labs
from labkit.system.waiting import until
from tests.engines.apart.isolation.site import LAB, Isolation

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

ASK_S = 10.0
BEGINS_S = 180.0
GONE_S = 180.0
"""What was set in a guest's own kernel goes by itself, a minute after it was."""

AT_TURN = {"escapes": 3}
"""Killed as that turn begins, whatever is in the lab then: what this makes is there for a second."""

ALWAYS = "kernel"
"""It sets what would stay: a parameter of the server's kernel."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one.name, marks=[] if one.name == ALWAYS else pytest.mark.long)
        for one in labs.load(LAB).experiments
    ],
)
def test_after_a_killed_experiment_all_is_as_before(site: Isolation, name: str) -> None:
    """It is KILL that ends it, in the middle of a turn; every replica answers as itself, and no mark of it is left."""
    with site.as_before(GONE_S):
        left = killed(site, name)
        assert left or name in AT_TURN
        site.up()
        for one in site.contract().replicas:
            assert answers.whoami(one.url, ASK_S)["replica"] == one.name
    assert site.leftovers() == []


def killed(site: Isolation, name: str) -> list[str]:
    """Run the experiment until something of it is in the lab, then kill it; what there is then that was not before."""
    before = set(site.marks())
    with site.start("run", LAB, name, "--quick") as process:
        turn = f"{name}, {AT_TURN.get(name, 1)} of "
        assert any(turn in line for line in process.stdout or ()), "it never began"
        found = [] if name in AT_TURN else until(lambda: held(process.pid, site, before), BEGINS_S, 0.2)
        assert found or name in AT_TURN, "it made nothing"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            pytest.fail("what it has started holds on to its output")
    return found


def held(pid: int, site: Isolation, before: set[str]) -> list[str]:
    """Hold the experiment, and look what of it is in the lab; go on with it if there is nothing."""
    os.kill(pid, signal.SIGSTOP)
    found = sorted(set(site.marks()) - before)
    if not found:
        os.kill(pid, signal.SIGCONT)
    return found
