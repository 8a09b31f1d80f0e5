"""What the tests of the lab isolation have in common."""

from __future__ import annotations

from typing import Any

from labkit.judge.model import Observed
from labkit.runs.records import Arm, Repeat, Results, Run
from labs.isolation import escapes_claims, reach_claims

BOOT = {"vm": "914773a7-9262-4c70-95c6-69b150fbed7a", "server": "74ff70d8-15de-4c1d-8c95-5f6c8ef6b573"}
DEFAULT = "00000000a80425fb"
"""What an engine leaves a container's root."""
ALL = "000001ffffffffff"


def run(experiment: str, told: dict[Arm, dict[str, Any]]) -> Run:
    """With one repeat an arm."""
    repeats = tuple(
        Repeat(experiment, arm.side, 1, 0.0, {}, facts=facts, factors=arm.factors) for arm, facts in told.items()
    )
    return Run("r", "isolation", "", "", "", {}, {}, (Results(experiment, "?", "complete", 1.0, repeats),))


def seen(name: str, one: Run) -> bool | None:
    """What a claim makes of it."""
    claim = next(claim for claim in (*reach_claims.CLAIMS, *escapes_claims.CLAIMS) if claim.name == name)
    assert isinstance(claim, Observed)
    found = claim.observe(one)
    return found.true if found else None
