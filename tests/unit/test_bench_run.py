"""How long a run took, from the run alone."""

from __future__ import annotations

from bench import run as bench_run
from labkit.runs.records import Repeat, Results
from tests.unit.lab_fakes import empty_run


def test_a_turn_lasts_until_the_next_begins() -> None:
    """The last one's end is not known; experiments and the whole have their own seconds."""
    repeats = tuple(
        Repeat("start", side, number, begun_s, {}, "deploy")
        for number, side, begun_s in ((1, "vm", 0.0), (1, "container", 30.0), (2, "vm", 35.0), (2, "container", 67.0))
    )
    run = empty_run(experiments=(Results("start", "?", "complete", 70.0, repeats),))
    assert {one.name: one.repeats for one in bench_run.figures(run)} == {
        "run deployment": [70.0],
        "run deployment: start": [70.0],
        "run deployment: start, a turn of vm deploy": [30.0, 32.0],
        "run deployment: start, a turn of container deploy": [5.0],
    }
