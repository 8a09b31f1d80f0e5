"""The guide of the lab networking, run as a reader runs it, and what its run says. It takes the lab down."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.judge.model import Observed
from labkit.measure import labs
from labkit.runs import run_folder
from tests.engines.apart.networking.site import LAB, Site
from tests.guides.guides import TEST_S, WALK_S, assert_walked, journal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(TEST_S)]


@pytest.fixture(scope="module")
def down(site: Site) -> Site:
    """The lab is down, also after a walk that has failed."""
    site.tool("down", LAB)
    return site


def test_every_fence_of_the_guide_works(site: Site) -> None:
    """From a lab that is up to a lab that is down: executed fences == fences, each with status 0."""
    settings = (site.checkout / f"Pulumi.{LAB}.yaml").read_bytes()
    done = site.tool("guide", LAB, "--yes", timeout_s=WALK_S, check=False)
    assert_walked(done, site.checkout, LAB)
    assert (site.checkout / f"Pulumi.{LAB}.yaml").read_bytes() == settings


def test_what_its_runs_saw_is_what_the_article_says(site: Site) -> None:
    """Every experiment was run to its end, no turn failed, and each claim that is observed holds."""
    runs = [run_folder.load(folder) for folder in run_folder.all_of(LAB, site.checkout / "runs")]
    lab = labs.load(LAB)
    done = {one.name: (run, one) for run in runs for one in run.experiments if one.state == "complete"}
    assert set(done) == {one.name for one in lab.experiments}
    assert not [repeat.problem for _, one in done.values() for repeat in one.repeats if repeat.problem]
    observed = [one for one in lab.claims if isinstance(one, Observed)]
    seen = {one.name: one.observe(done[one.experiment][0]) for one in observed}
    assert {name for name, one in seen.items() if one is None or not one.true} == set(), seen


def test_what_is_not_up_cannot_be_captured(down: Site, tmp_path: Path) -> None:
    """The next step is said, and no file is begun."""
    file = tmp_path / "x.pcap"
    for words in (("--lab", LAB, "vm-1"), ("vm-1",)):
        done = down.tool("capture", *words, "--write", str(file), check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "so there is no replica 'vm-1'." in done.stderr
        assert "Next: ./lab up " in done.stderr
    assert not file.exists()


def test_a_step_that_fails_on_the_real_lab_shows_its_hint(down: Site) -> None:
    """A look inside a lab that the walk has taken down."""
    done = down.tool("guide", LAB, "--yes", "--from", "Look inside", check=False)
    assert done.returncode != 0
    assert "Hint:" in done.stdout
    assert f"Go on: ./lab guide {LAB} --from" in done.stdout
    assert [entry["language"] for entry in journal(down.checkout, LAB)] in (["sh"], ["sh", "check"])
