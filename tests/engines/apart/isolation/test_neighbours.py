"""Neighbours on real engines: what one that is left over is found by, and what each of them meets."""

from __future__ import annotations

import json
import os
import shlex
import signal
from typing import Any

import pytest

from labkit.system.waiting import until
from labs.isolation import burden
from tests.engines.apart.isolation.site import LAB, Isolation
from tests.engines.real import command

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

BEGINS_S = 180.0
GONE_S = 60.0
BURNS = "pgrep -x stress-ng > /dev/null && echo burns || true"


def test_a_neighbour_whose_experiment_is_killed_is_found_and_ended(site: Isolation) -> None:
    """Its note names what ends it, which does; by itself it would have burned for some seconds more."""
    assert burden.room(site.in_server(burden.ROOM)).processes == 4096
    with site.as_before(GONE_S):
        with site.start("run", LAB, "neighbours", "--quick") as process:
            assert until(lambda: "burns" in _in_guest(site, BURNS), BEGINS_S, 0.5), "it never began"
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        told = site.tool("leftovers", LAB, "--json", check=False).stdout
        ours = json.loads(told[told.index("[") :])[0]["ours"]
        left = [one for one in ours if one["name"].startswith("vm-2: ")]
        assert [one["kind"] for one in left] == ["experiment in"]
        command(shlex.split(left[0]["removal"]))
        assert "burns" not in _in_guest(site, BURNS)
        assert site.leftovers() == []
        site.up()


def _in_guest(site: Isolation, script: str) -> str:
    return site.tool("exec", "--lab", LAB, "vm-2", "sh", "-c", script, check=False).stdout


@pytest.fixture(scope="module")
def told(site: Isolation) -> Any:
    """A quick run of both; the lab is as before it."""
    with site.as_before(GONE_S):
        found = site.measure("neighbours", "surface")
    assert site.leftovers() == []
    return found


@pytest.mark.long
def test_every_neighbour_was_let_loose_and_is_gone(told: Any) -> None:
    """No turn failed, and each victim lives on as it was."""
    run = told["run"]
    assert {one["name"]: one["state"] for one in run["experiments"]} == {
        "neighbours": "complete",
        "surface": "complete",
    }
    repeats = [repeat for one in run["experiments"] for repeat in one["repeats"]]
    assert [one["problem"] for one in repeats if one["problem"]] == []
    beside = [one for one in repeats if one["experiment"] == "neighbours"]
    assert {one["facts"]["victim_survives"] for one in beside} == {"yes"}


@pytest.mark.long
def test_what_each_neighbour_meets_is_told_by_its_kernel(told: Any) -> None:
    """An OOM killer in the guest and in the container that is held; processes are refused to the container."""
    beside = next(one for one in told["run"]["experiments"] if one["name"] == "neighbours")["repeats"]

    def ended_by(fault: str, side: str, limits: str) -> str:
        factors = {"fault": fault, "limits": limits}
        found = [one for one in beside if one["side"] == side and one["factors"] == factors]
        return str(found[0]["facts"]["ended_by"])

    assert "its own kernel" in ended_by("memory", "vm", "limited")
    assert "its control group is full" in ended_by("memory", "container", "limited")
    assert "its control group is full" not in ended_by("memory", "container", "unlimited")
    assert "all of its server's containers" in ended_by("forks", "container", "unlimited")
