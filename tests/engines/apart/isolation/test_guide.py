"""The guide of the lab isolation, run as a reader runs it, and what its run says. It takes the lab down."""

from __future__ import annotations

import subprocess

import pytest

from labkit.judge.model import Observed
from labkit.measure import labs
from labkit.runs import run_folder
from tests.engines.apart.isolation.site import LAB, Isolation
from tests.engines.apart.kills import collect
from tests.guides.guides import TEST_S, WALK_S, assert_walked

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(TEST_S)]


def test_every_fence_of_the_guide_works(site: Isolation) -> None:
    """From a lab that is up to a lab that is down: executed fences == fences, each with status 0."""
    with site.start("guide", LAB, "--yes") as process:
        told, ended = collect(process, WALK_S)
    assert ended, told[-5000:]
    done = subprocess.CompletedProcess([], process.returncode, told, "")
    assert_walked(done, site.checkout, LAB)
    runs = [run_folder.load(folder) for folder in run_folder.all_of(LAB, site.checkout / "runs")]
    complete = {one.name: run for run in runs for one in run.experiments if one.state == "complete"}
    lab = labs.load(LAB)
    assert set(complete) == {one.name for one in lab.experiments}
    observed = [one for one in lab.claims if isinstance(one, Observed)]
    seen = {one.name: one.observe(complete[one.experiment]) for one in observed}
    assert {name for name, one in seen.items() if one is None or not one.true} == set(), seen
