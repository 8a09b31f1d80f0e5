"""The labs' metrics: each reads its own value and nothing else, and which there are does not depend on who asks."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from labkit.judge import words
from labkit.judge.model import Metric
from labkit.measure import labs
from labkit.runs.records import Repeat
from labkit.system.paths import CHECKOUT
from tests.unit import judging

EVERY = [pytest.param(metric, id=f"{lab} {metric.name}") for lab, metric in labs.metrics()]


def repeat_of(metric: Metric) -> Repeat:
    """A repeat that has the metric's example, and more."""
    return Repeat(metric.experiment, "vm", 1, 0.0, {metric.value: metric.example, "x": -1.0}, action=metric.action)


@pytest.mark.parametrize("metric", EVERY)
def test_the_worked_example_is_true(metric: Metric) -> None:
    """Computed, not believed; and in the words that a report shows."""
    assert metric.of(repeat_of(metric)) == metric.example
    assert words.example(metric).startswith(f"{metric.value} = ")
    assert words.example(metric).endswith(f"gives {words.quantity(metric.example, metric.unit)}")


@pytest.mark.parametrize("metric", EVERY)
def test_a_metric_is_described(metric: Metric) -> None:
    """Its definition is a sentence; its name and its value's end with its unit, or are the unit."""
    assert metric.definition.endswith(".")
    suffix = {"bytes": "_bytes", "s": "_s", "MiB": "_mib", "%": "_percent"}.get(metric.unit, metric.unit)
    assert metric.name.endswith(suffix)
    assert metric.value.endswith(suffix)


@pytest.mark.parametrize("metric", EVERY)
def test_a_metric_reads_its_own_repeats_only(metric: Metric) -> None:
    """Another experiment's, another action's or an empty repeat gives None."""
    repeat = repeat_of(metric)
    assert metric.of(dataclasses.replace(repeat, values={}, stages=())) is None
    assert metric.of(dataclasses.replace(repeat, experiment="another")) is None
    if metric.action:
        assert metric.of(dataclasses.replace(repeat, action="another")) is None


def test_the_reference_names_every_metric_whoever_was_imported_first() -> None:
    """In a fresh process, where nothing has loaded a lab."""
    words = [sys.executable, "-c", "from docs.ext import generated; print(generated.measured())"]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=True)
    assert [one.name for _, one in labs.metrics() if f"`{one.name}`\n" not in done.stdout] == []


def test_a_labs_metrics_are_those_of_its_claims() -> None:
    """Each once, in the claims' order; what is observed has none."""
    claims = (judging.STARTS, judging.LARGER, dataclasses.replace(judging.STARTS, name="again"))
    assert labs.Lab("toy", "What?", (), claims).metrics == (judging.STARTS.metric, judging.LARGER.metric)
