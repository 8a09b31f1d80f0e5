"""An experiment that is killed while it works: the next `up` puts right all that it left, inside the lab and beside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from infra import answers
from labkit.measure import labs
from labkit.system.waiting import until
from tests.engines.apart.networking.site import LAB, Site

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ASK_S = 10.0
BEGINS_S = 120.0
GONE_S = 180.0
"""What stands in a guest's own kernel goes by itself, a minute after it was put there; beside other work a look at all
takes half a minute."""

DEEPER_S = {"adapters": 3.0, "segments": 2.0, "throughput": 3.0}
"""So long after the first that an experiment makes in the lab it is killed: more is there then."""

LEAVES = {"adapters", "firewall", "forward", "segments"}
"""What these make stays where they were killed; the others' ends with the program that has made it."""

SOUGHT = {"firewall": "--comment vvc-firewall"}
"""By this a mark is known that stays; what is seen before it goes by itself."""

ALWAYS = "forward"
"""It takes rules away that are not its own, and adds others: what a kill leaves of it cuts a VM off."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one.name, marks=[] if one.name == ALWAYS else pytest.mark.long)
        for one in labs.load(LAB).experiments
    ],
)
def test_after_a_killed_experiment_all_is_as_before(site: Site, name: str) -> None:
    """It is KILL that ends it, in the middle of a turn; every replica answers as itself, and no mark of it is left."""
    with site.as_before(GONE_S, lambda: [*site.marks(), *site.marks_in_guests()]):
        left = killed(site, name)
        assert (kinds(site) == ["experiment in"]) == (name in LEAVES), left
        site.up()
        for one in site.contract().replicas:
            assert answers.whoami(one.url, ASK_S)["replica"] == one.name
    assert kinds(site) == []


def kinds(site: Site) -> list[str]:
    """What `./lab leftovers` names, by its kinds."""
    told = site.tool("leftovers", LAB, "--json", check=False).stdout
    return sorted({one["kind"] for one in json.loads(told)[0]["ours"]})


def killed(site: Site, name: str) -> list[str]:
    """Run the experiment until something of it is in the lab, then kill it; what there is then that was not before."""
    before, passing = site.marks(), "runs: " if name in LEAVES else None
    sought = SOUGHT.get(name, "")
    with site.running("run", LAB, name, "--quick") as process:
        assert until(lambda: holds(process.pid, site, before, passing, sought), BEGINS_S), "it never began"
        if name in DEEPER_S:
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(DEEPER_S[name])
            assert until(lambda: holds(process.pid, site, before, passing, sought), BEGINS_S), "it was over"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            pytest.fail("what it has started holds on to its output")
    return sorted(set(site.marks()) - set(before))


def holds(pid: int, site: Site, before: list[str], passing: str | None, sought: str) -> bool:
    """Hold the experiment, and look whether something of it is in the lab; go on with it if not.

    A program is none of it where what is made is to stay.
    """
    os.kill(pid, signal.SIGSTOP)
    new = [one for one in site.marks() if one not in before and sought in one]
    if [one for one in new if passing is None or passing not in one]:
        return True
    os.kill(pid, signal.SIGCONT)
    return False
