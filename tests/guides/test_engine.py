"""Every fence of every guide, run against the real lab, in order, as a reader runs them."""

from __future__ import annotations

import pytest

from tests.engines.real import ROOT, tool
from tests.guides.conftest import HERE, walked
from tests.guides.guides import TEST_S, assert_walked, journal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(TEST_S)]


@pytest.mark.parametrize("lab", HERE)
def test_every_fence_of_the_guide_works(lab: str) -> None:
    """From a lab that is down to a lab that is down: executed fences == fences, each with status 0."""
    settings = (ROOT / f"Pulumi.{lab}.yaml").read_bytes()
    assert_walked(walked(lab), ROOT, lab)
    assert (ROOT / f"Pulumi.{lab}.yaml").read_bytes() == settings


def test_a_step_that_fails_on_the_real_lab_shows_its_hint(lab: str) -> None:
    """A look inside a lab that is down."""
    done = tool("guide", lab, "--yes", "--from", "Look inside", check=False)
    assert done.returncode != 0
    assert "Hint:" in done.stdout
    assert "Go on: ./lab guide" in done.stdout
    assert [entry["language"] for entry in journal(ROOT, lab)] in (["sh"], ["sh", "check"])
