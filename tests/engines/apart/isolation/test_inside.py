"""What the lab isolation sees on real engines: each experiment from inside once, and nothing of it is left."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.judge.model import Observed
from labkit.measure import labs
from tests.engines.apart.isolation.site import LAB, Isolation

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

LOOKS = ("reach", "escapes", "kernel")
GONE_S = 120.0


@pytest.fixture(scope="module")
def told(site: Isolation) -> Any:
    """A quick run of all three; the lab is as before it."""
    with site.as_before(GONE_S):
        found = site.measure(*LOOKS)
    assert site.leftovers() == []
    return found


def test_each_comes_to_its_end(told: Any) -> None:
    """No turn failed, and every one of a privileged container was made, too."""
    run = told["run"]
    assert {one["name"]: one["state"] for one in run["experiments"]} == dict.fromkeys(LOOKS, "complete")
    repeats = [repeat for one in run["experiments"] for repeat in one["repeats"]]
    assert [one["problem"] for one in repeats if one.get("problem")] == []
    assert {one.get("factors", {}).get("rights") for one in repeats} == {None, "usual", "root", "privileged"}


def test_what_was_seen_is_what_is_claimed(told: Any) -> None:
    """Each observed claim that rests on one of them holds."""
    names = {one.name for one in labs.load(LAB).claims if isinstance(one, Observed) and one.experiment in LOOKS}
    parts = {part["claim"]: part for row in told["rows"] for part in row["parts"]}
    assert {name: parts[name]["verdict"] for name in names} == dict.fromkeys(names, "holds"), parts


def test_who_answers_while_a_guests_kernel_dies(told: Any) -> None:
    """All others, and none of their requests is lost for good."""
    kernel = next(one for one in told["run"]["experiments"] if one["name"] == "kernel")
    (panic,) = (one for one in kernel["repeats"] if one["action"] == "panic")
    assert panic["values"]["others_requests"] > 0
    assert panic["facts"]["panicked"] == "vm-1"
    assert all(one["ran_on"] for one in panic["facts"]["replicas"] if one["replica"] != "vm-1")
