"""Each metric gives what its worked example says, and nothing for what is not its own."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.judge import metrics_lab
from labkit.judge.metrics import EXAMPLES, METRICS
from labkit.judge.words import quantity

assert metrics_lab, "its metrics are among METRICS"


@pytest.mark.parametrize("name", METRICS)
def test_the_worked_example_is_true(name: str) -> None:
    """Computed, not believed; and in the words that a report shows."""
    metric = METRICS[name]
    repeat, gives = EXAMPLES[name]
    assert metric.of(repeat) == gives
    assert metric.example.endswith(f"gives {quantity(gives, metric.unit)}")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_described(name: str) -> None:
    """Its definition is a sentence; its name ends with its unit, or is the unit."""
    metric = METRICS[name]
    assert metric.definition.endswith(".")
    suffix = {"bytes": "_bytes", "s": "_s", "MiB": "_mib", "%": "_percent"}.get(metric.unit, metric.unit)
    assert metric.name.endswith(suffix)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_reads_its_own_repeats_only(name: str) -> None:
    """Another experiment's, another action's or an empty repeat gives None."""
    metric = METRICS[name]
    repeat, _ = EXAMPLES[name]
    assert metric.of(dataclasses.replace(repeat, values={}, stages=())) is None
    assert metric.of(dataclasses.replace(repeat, experiment="another")) is None
    if metric.action:
        assert metric.of(dataclasses.replace(repeat, action="another")) is None
