"""Ten real runs of one lab on one machine: whatever varies between them, no two verdicts contradict each other."""

from __future__ import annotations

from collections import defaultdict

import pytest

from infra import outputs
from labkit import labs, run_folder
from labkit.judge.rows import judge
from tests.engines.real import LAB, ROOT, tool

RUNS = 10
RUN_S = 3600
"""Bound of one whole run: some half an hour on an idle machine without KVM."""

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(RUNS * RUN_S)]


def test_ten_runs_never_contradict_each_other(lab: outputs.Contract) -> None:
    """No claim holds in one and does not hold in another; each run judges every claim."""
    del lab
    claims = labs.load(LAB).claims
    verdicts: dict[str, set[str]] = defaultdict(set)
    for _ in range(RUNS):
        told = tool("run", LAB, timeout_s=RUN_S).stdout
        run = run_folder.load(ROOT / told.strip().splitlines()[-1].removeprefix("Folder: "))
        judged = {part.claim.name: part.verdict for row in judge(run, claims) for part in row.parts}
        assert set(judged) == {claim.name for claim in claims}
        for name, verdict in judged.items():
            verdicts[name].add(verdict)
    assert not {name for name, said in verdicts.items() if said >= {"holds", "does not hold"}}
    assert any("holds" in said for said in verdicts.values())
