"""A prediction against what came out: one rule for the terminal and the pages."""

from __future__ import annotations

import dataclasses
import math
from io import StringIO

import pytest
from rich.console import Console

from labkit.judge.model import Judgement, Observation, Observed, Row, Spread, Verdict
from labkit.judge.outcome import outcome_of
from labkit.report import _verdicts, html, merge, terminal
from tests.unit.judging import CONTAINER, LARGER, STARTS, VM, run

YES = Observed("own-kernel", "Operating system", "A VM has its own kernel.", "start",
               lambda _run: Observation(True, {}), "it boots.")  # fmt: skip


def measured(verdict: Verdict, ratio: float | None, interval: tuple[float, float] | None = None) -> Judgement:
    """A judgement of the claim that a VM's time is at least 1.5 times a container's."""
    spreads = tuple(Spread(arm, 10, 1.0, 1.0, 1.0, (1.0,)) for arm in (VM, CONTAINER))
    return Judgement(STARTS, verdict, "so it is", spreads, ratio, interval)


CASES: dict[str, tuple[Judgement, str, dict[str, bool | None]]] = {
    "it holds": (measured("holds", 9.5, (9.0, 10.0)), "vm", {"vm": True, "same": False, "container": False}),
    "about the same": (measured("does not hold", 1.0, (0.9, 1.1)), "same",
                       {"vm": False, "same": True, "container": False}),
    "the other way round": (measured("does not hold", 0.3, (0.25, 0.35)), "container",
                            {"vm": False, "same": False, "container": True}),
    "less, or the same": (measured("does not hold", 0.65, (0.5, 0.8)), "container",
                          {"vm": False, "same": None, "container": None}),
    "too few": (measured("not decidable here", 9.5), "vm", {"vm": None, "same": None, "container": None}),
    "not measured": (measured("not measured", None), "", {"vm": None, "same": None}),
    "counted, the other way round": (measured("does not hold", 0.5), "container", {"same": False, "container": True}),
    "nothing on both sides": (measured("does not hold", None), "same", {"vm": False, "same": True}),
    "seen": (Judgement(YES, "holds", "seen"), "yes", {"yes": True, "no": False}),
    "seen otherwise": (Judgement(YES, "does not hold", "seen"), "no", {"yes": False, "no": True}),
    "seen by nobody": (Judgement(YES, "not measured", "not in this run"), "", {"yes": None, "no": None}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_prediction_comes_true_only_if_it_is_what_came_out(case: str) -> None:
    """Who said `same` is not right where the other side has more, nor where nobody can tell."""
    judgement, word, hits = CASES[case]
    outcome = outcome_of(judgement)
    assert outcome.word == word
    assert {predicted: outcome.hit(predicted) for predicted in hits} == hits
    assert {predicted: _verdicts.against(judgement, predicted).hit for predicted in hits} == hits


def test_every_page_says_the_same_of_a_prediction() -> None:
    """A refuted claim whose other side has more: `same` is a surprise in the terminal, on the page and in the class."""
    small = Judgement(
        LARGER,
        "does not hold",
        "counted exactly",
        (Spread(VM, 1, 1.0, 1.0, 1.0, (1.0,)), Spread(CONTAINER, 1, 2.0, 2.0, 2.0, (2.0,))),
        0.5,
    )
    rows = (Row("Size", "large", "small", "does not hold", (small,)),)
    told = dataclasses.replace(run(), predictions={"larger": "same"}, machine={"cpu": "x", "cpus": 1})
    out = StringIO()
    Console(file=out, width=200, no_color=True).print(terminal.render(told, rows, "runs/deployment/1"))
    assert "container, ratio 0.5" in out.getvalue()
    assert "a surprise" in out.getvalue()
    assert "a surprise: container" in html.page(told, rows)
    [claim] = merge.merged([merge.Entry("anna", told, rows)])
    assert (dict(claim.predicted), claim.hits, claim.open) == ({"same": 1}, 0, 0)
    assert not math.isnan(claim.kinds[0].median)
