"""Every fence of every guide, run against the real lab, in order, as a reader runs them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engines.real import ROOT, tool
from tests.guides.conftest import walked
from tests.guides.guides import LABS, fences

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1700)]


def journal(lab: str) -> list[dict[str, Any]]:
    """What the newest walk has executed."""
    return [
        json.loads(line) for line in (ROOT / ".state" / lab / "guide.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("lab", LABS)
def test_every_fence_of_the_guide_works(lab: str) -> None:
    """From a lab that is down to a lab that is down: executed fences == fences, each with status 0."""
    settings = (ROOT / f"Pulumi.{lab}.yaml").read_bytes()
    done = walked(lab)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    executed = journal(lab)
    assert [(entry["language"], entry["text"]) for entry in executed] == fences(lab)
    assert {entry["status"] for entry in executed} == {0}
    assert "every check held" in done.stdout
    assert (ROOT / f"Pulumi.{lab}.yaml").read_bytes() == settings


def test_a_step_that_fails_on_the_real_lab_shows_its_hint(lab: str) -> None:
    """A look inside a lab that is down."""
    done = tool("guide", lab, "--yes", "--from", "Look inside", check=False)
    assert done.returncode != 0
    assert "Hint:" in done.stdout
    assert "Go on: ./lab guide" in done.stdout
    assert [entry["language"] for entry in journal(lab)] in (["sh"], ["sh", "check"])
