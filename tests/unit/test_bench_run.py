"""How long a run took, from the run alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import common, lab
from bench import run as bench_run
from bench.lab import OneLab, aimed_at
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.measure import labs
from labkit.measure.experiment import Experiment, turns
from labkit.measure.labs import Lab
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


def test_a_labs_bench_is_its_up_its_quick_run_what_it_aims_at_and_its_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each experiment is a figure; the whole quick run has an aim; a value with an aim is measured under its arm."""
    done: list[Sequence[str]] = []
    short = empty_run(
        experiments=(Results("start", "?", "complete", 70.0, ()), Results("size", "?", "complete", 5.0, ()))
    )
    slow = Repeat("server-killed", "vm", 1, 0.0, {"outage_s": 9.0, "lost": 0.0}, factors={"timers": "matched timers"})
    spoiled = replace(slow, values={"outage_s": 99.0}, problem="it did not come back")
    deep = empty_run(experiments=(Results("server-killed", "?", "complete", 9.0, (slow, spoiled)),))

    def conduct(_: Lab, chosen: Sequence[Experiment], *_more: object, quick: bool, full: bool = False) -> object:
        assert quick
        assert [one.name for one in chosen] == (["server-killed"] if full else ["size", "start"])
        return (deep if full else short), Path()

    def timed(_: OneLab, words: Sequence[str]) -> float:
        done.append(words)
        return 1.0

    deployment, failover = labs.load("deployment"), labs.load("failover")
    toy = replace(
        failover,
        experiments=tuple(one for one in deployment.experiments if one.name in ("size", "start"))
        + tuple(replace(one, only_full=True) for one in failover.experiments if one.name == "server-killed"),
        aims={"down": 2.0, "server-killed: vm matched timers: outage_s": 8.0},
    )
    monkeypatch.setattr(lab, "labs", SimpleNamespace(load=lambda _: toy))
    monkeypatch.setattr(lab, "session", SimpleNamespace(conduct=conduct))
    monkeypatch.setattr(OneLab, "_memory_mib", lambda _: 700.0)
    monkeypatch.setattr(OneLab, "_time", timed)
    monkeypatch.setattr(OneLab, "_down", lambda _: None)
    monkeypatch.setattr(common, "machine_box", lambda _: {})
    found = OneLab(cast(Any, None), Quiet(), "deployment").run(2)
    assert {one["name"]: (one["unit"], one["aim"], one["repeats"]) for one in found["figures"]} == {
        "up deployment": ("s", None, [1.0, 1.0]),
        "memory deployment": ("MiB", None, [700.0, 700.0]),
        "quick run deployment": ("s", 480.0, [75.0, 75.0]),
        "quick run deployment: start": ("s", None, [70.0, 70.0]),
        "quick run deployment: size": ("s", None, [5.0, 5.0]),
        "server-killed: vm matched timers: outage_s": ("s", 8.0, [9.0, 9.0]),
        "down deployment": ("s", 2.0, [1.0, 1.0]),
    }
    assert done == [[*UP], [*DESTROY]] * 2


def test_only_the_arms_that_have_aims_are_measured_for_them() -> None:
    """Each of failover's as often as in a quick run."""
    failover = labs.load("failover")
    found = {
        one.name: [str(turn.arm) for turn in turns(one, ("vm", "container"), quick=True, full=True)]
        for one in aimed_at(failover, failover.aims)
    }
    both = ["vm matched timers", "container matched timers"]
    assert found == {"service-killed": both, "server-killed": both}
