"""Ten real runs of one lab on one machine: whatever varies between them, no two verdicts contradict each other."""

from __future__ import annotations

from collections import defaultdict

import pytest

from infra import outputs
from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.runs import run_folder
from tests.engines.real import LAB, ROOT, tool

RUNS = 10
RUN_S = 3600
"""Bound of one run: a whole one takes some 40 minutes on an idle machine without KVM."""

CASES = [
    pytest.param(("size", "operating-system", "portability"), id="bytes and evidence"),
    pytest.param(("resources",), id="memory and storage"),
    pytest.param(("update", "--quick"), id="acknowledged writes"),
    pytest.param((), id="whole ones"),
]
"""A claim is judged from one experiment, so that ten runs of a few say as much of theirs as ten whole ones. The first
three together have all that can be decided without KVM; what a prober's ledger shows needs no number of repeats."""

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(RUNS * RUN_S)]


@pytest.mark.parametrize("words", CASES)
def test_ten_runs_never_contradict_each_other(lab: outputs.Contract, words: tuple[str, ...]) -> None:
    """No claim holds in one and does not hold in another; each run judges every claim."""
    del lab
    claims = labs.load(LAB).claims
    verdicts: dict[str, list[str]] = defaultdict(list)
    for _ in range(RUNS):
        told = tool("run", LAB, *words, timeout_s=RUN_S).stdout
        run = run_folder.load(ROOT / told.strip().splitlines()[-1].removeprefix("Folder: "))
        for row in judge(run, claims):
            for part in row.parts:
                verdicts[part.claim.name].append(part.verdict)
    assert {name: len(said) for name, said in verdicts.items()} == {claim.name: RUNS for claim in claims}
    assert not {name: said for name, said in verdicts.items() if set(said) >= {"holds", "does not hold"}}
    assert any("holds" in said for said in verdicts.values())
