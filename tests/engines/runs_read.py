"""What a run says, for the tests of what was measured."""

from __future__ import annotations

from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.runs.records import Repeat, Run
from tests.engines.real import LAB


def repeats(run: Run, experiment: str, side: str, action: str = "") -> tuple[Repeat, ...]:
    """Those of one side, none of which failed."""
    found = run.experiment(experiment)
    assert found is not None
    assert found.state == "complete", found.problem
    own = found.of(side, action)
    assert own
    assert not [one.problem for one in own if one.problem]
    return own


def verdicts(run: Run, row: str) -> dict[str, tuple[str, str]]:
    """Claim -> verdict and reason, of a row's parts."""
    judged = next(one for one in judge(run, labs.load(LAB).claims) if one.name == row)
    return {part.claim.name: (part.verdict, part.reason) for part in judged.parts}
