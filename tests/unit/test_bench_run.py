"""How long a run took, from the run alone."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import common, lab
from bench import run as bench_run
from bench.lab import OneLab
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.runs.records import Repeat, Results
from labkit.system.progress import Quiet
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


def test_a_labs_bench_is_its_up_its_quick_run_and_its_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each experiment is a figure; the whole quick run has an aim."""
    done: list[Sequence[str]] = []
    run = empty_run(
        experiments=(Results("start", "?", "complete", 70.0, ()), Results("size", "?", "complete", 5.0, ()))
    )
    monkeypatch.setattr(lab, "bench_run", SimpleNamespace(conducted=lambda *_, quick: run if quick else empty_run()))

    def timed(_: OneLab, words: Sequence[str]) -> float:
        done.append(words)
        return 1.0

    monkeypatch.setattr(OneLab, "_time", timed)
    monkeypatch.setattr(OneLab, "_down", lambda _: None)
    monkeypatch.setattr(common, "machine_box", lambda _: {})
    found = OneLab(cast(Any, None), Quiet(), "deployment").run(2)
    assert {one["name"]: (one["aim"], one["repeats"]) for one in found["figures"]} == {
        "up deployment": (None, [1.0, 1.0]),
        "quick run deployment": (480.0, [75.0, 75.0]),
        "quick run deployment: start": (None, [70.0, 70.0]),
        "quick run deployment: size": (None, [5.0, 5.0]),
        "down deployment": (None, [1.0, 1.0]),
    }
    assert done == [[*UP], [*DESTROY]] * 2
