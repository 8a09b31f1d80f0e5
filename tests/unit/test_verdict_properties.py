"""What must hold of verdicts whatever the numbers are: no winner out of noise, no side preferred, no chance."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it comes without types

from labkit.judge import _interval
from labkit.judge._decision import Decision, advised, decide
from labkit.judge._verdict import judge
from tests.unit import judging

ROOT = Path(__file__).parents[2]
FEW = 299
"""Resamples where a property is tried on many samples."""

PRINT = """
from labkit.judge._verdict import judge
from tests.unit import judging
one = judge(judging.run(8), judging.STARTS)
print([one.verdict, one.reason, one.ratio, one.interval, one.spreads])
"""

VALUES = st.floats(0.01, 1000.0, allow_subnormal=False)
SAMPLES = st.lists(VALUES, min_size=6, max_size=14)
EFFECTS = st.floats(1.01, 4.0)
SEEDS = st.integers(0, 2**63)


Pair = tuple[Sequence[float], Sequence[float]]


def quick(pair: Pair, effect: float, seed: int) -> Decision:
    """The decision, from fewer resamples."""
    return decide(pair[0], pair[1], effect, minimum=6, seed=seed, resamples=FEW)


def drawn(rng: np.random.Generator, pool: Sequence[float], n: int) -> Pair:
    """Two samples of one side."""
    return rng.choice(pool, n).tolist(), rng.choice(pool, n).tolist()


@pytest.mark.parametrize(("n", "spread"), [(6, 0.02), (6, 1.0), (10, 0.3), (20, 1.0)])
def test_a_side_against_itself_hardly_ever_holds(n: int, spread: float) -> None:
    """1,000 pairs of samples of one side: at most 5 % hold, even when every effect above 1 % is worth naming."""
    rng = np.random.default_rng(n)
    pool = rng.lognormal(2.0, spread, 200).tolist()
    held = sum(quick(drawn(rng, pool, n), 1.01, trial).verdict == "holds" for trial in range(1_000))
    assert held <= 50


def test_a_measured_side_against_itself_does_not_hold() -> None:
    """The repeats of one side of a run, resampled 1,000 times, at the effect that the claim asks for."""
    rng = np.random.default_rng(5)
    experiment = judging.run().experiment("start")
    assert experiment is not None
    pool = [one.values["ready_s"] for one in experiment.of("vm", "start") if one.counts]
    verdicts = [quick(drawn(rng, pool, 10), judging.STARTS.effect, trial).verdict for trial in range(1_000)]
    assert verdicts.count("holds") <= 50
    assert verdicts.count("does not hold") >= 950


@given(greater=SAMPLES, other=SAMPLES, effect=EFFECTS, seed=SEEDS)
def test_exchanged_sides_have_the_reciprocal_interval(
    greater: list[float], other: list[float], effect: float, seed: int
) -> None:
    """Exactly: no side is drawn differently because it stands first."""
    if sorted(greater) == sorted(other):
        return
    one = _interval.of_ratio(greater, other, seed=seed, resamples=FEW)
    two = _interval.of_ratio(other, greater, seed=seed, resamples=FEW)
    assert one == pytest.approx((1 / two[1], 1 / two[0]))


@given(greater=SAMPLES, other=SAMPLES, effect=EFFECTS, seed=SEEDS)
def test_exchanged_sides_exchange_the_verdict(
    greater: list[float], other: list[float], effect: float, seed: int
) -> None:
    """What holds does not hold the other way about; and what is refuted by that much holds the other way about."""
    one = quick((greater, other), effect, seed)
    two = quick((other, greater), effect, seed)
    if one.verdict == "holds":
        assert two.verdict == "does not hold"
    if one.interval is not None and one.interval[1] * effect < 1 - 1e-6:
        assert (one.verdict, two.verdict) == ("does not hold", "holds")


@given(
    shapes=st.tuples(*[st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=15)] * 2),
    noise=st.floats(0.001, 0.5),
    more=st.floats(1.0, 8.0),
    effect=EFFECTS,
    seed=SEEDS,
)
def test_more_noise_makes_no_winner(
    shapes: tuple[list[float], list[float]], noise: float, more: float, effect: float, seed: int
) -> None:
    """Two sides with one median but other spreads: whatever the verdict was, with more noise it is never `holds`."""

    def sample(shape: list[float], spread: float) -> list[float]:
        odd = np.array(shape[: len(shape) - 1 + len(shape) % 2])
        return [float(value) for value in 10 * np.exp(spread * (odd - np.median(odd)))]

    for spread in (noise, noise * more):
        sides = (sample(shapes[0], spread), sample(shapes[1], spread))
        assert quick(sides, effect, seed).verdict != "holds"


@pytest.mark.parametrize("noise", [0.03, 1.0])
def test_the_share_of_wrong_winners_does_not_grow_with_noise(noise: float) -> None:
    """No effect, more and more noise, a small effect asked for: at most one in twenty of 1,000 trials holds."""
    rng = np.random.default_rng(77)
    trials = rng.lognormal(0.0, noise, (1_000, 2, 8)).tolist()
    held = sum(quick((sides[0], sides[1]), 1.05, trial).verdict == "holds" for trial, sides in enumerate(trials))
    assert held <= 50


@given(greater=SAMPLES, other=SAMPLES, effect=EFFECTS, seed=SEEDS, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_repeats_does_not_matter(
    greater: list[float], other: list[float], effect: float, seed: int, shuffle: random.Random
) -> None:
    """A run written down in another order is the same run."""
    mixed = (shuffle.sample(greater, len(greater)), shuffle.sample(other, len(other)))
    assert quick((greater, other), effect, seed) == quick(mixed, effect, seed)


@given(greater=SAMPLES, other=SAMPLES, seed=SEEDS, factor=st.sampled_from([0.25, 1024.0]))
def test_the_unit_does_not_matter(greater: list[float], other: list[float], seed: int, factor: float) -> None:
    """Milliseconds or seconds, MiB or bytes: the ratio has no unit."""
    one = _interval.of_ratio(greater, other, seed=seed, resamples=FEW)
    scaled = [[value * factor for value in side] for side in (greater, other)]
    assert _interval.of_ratio(scaled[0], scaled[1], seed=seed, resamples=FEW) == pytest.approx(one)


@pytest.mark.parametrize("n", [6, 7, 10, 25])
def test_the_interval_is_the_one_of_a_known_library(n: int) -> None:
    """scipy's percentile bootstrap of the same statistic, within what is left of chance at 9,999 resamples."""
    rng = np.random.default_rng(n)
    greater, other = rng.lognormal(1.0, 0.1, n), rng.lognormal(0.5, 0.2, n)
    ours = _interval.of_ratio(greater.tolist(), other.tolist(), seed=1, resamples=9_999)
    theirs = stats.bootstrap(
        (greater, other),
        lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis),
        n_resamples=9_999,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


@pytest.mark.parametrize(("n", "least"), [(6, 0.90), (10, 0.92)])
def test_the_interval_covers_the_true_ratio(n: int, least: float) -> None:
    """In about 95 of 100 runs; a bootstrap of few values is known to fall somewhat short."""
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(1_000):
        greater, other = 2 * rng.lognormal(0.0, 0.2, n), rng.lognormal(0.0, 0.2, n)
        low, high = _interval.of_ratio(greater.tolist(), other.tolist(), seed=trial, resamples=FEW)
        covered += low <= 2.0 <= high
    assert covered / 1_000 >= least


def test_the_forecast_n_decides_most_runs() -> None:
    """Of 20 undecided runs, runs of the n that was forecast decide in at least 6 of 10 cases."""
    rng = np.random.default_rng(11)
    tried = decided = 0
    while tried < 20:
        first = _advised(_pair(rng, 8), tried)
        if first.n_needed is None:
            continue
        tried += 1
        decided += quick(_pair(rng, first.n_needed), 1.5, tried).verdict != "not decidable here"
    assert decided >= 12


def _advised(pair: Pair, seed: int) -> Decision:
    return advised(quick(pair, 1.5, seed), *pair, 1.5, minimum=6, seed=seed)


def _pair(rng: np.random.Generator, n: int) -> Pair:
    return (2 * rng.lognormal(0.0, 0.35, n)).tolist(), rng.lognormal(0.0, 0.35, n).tolist()


@hypothesis_settings(max_examples=20)
@given(greater=SAMPLES, other=SAMPLES, effect=EFFECTS)
def test_any_numbers_get_a_verdict_without_a_warning(greater: list[float], other: list[float], effect: float) -> None:
    """And a forecast that is larger than what there was, or none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_or_not = decide(greater, other, effect, minimum=6, seed=0)
        decision = advised(open_or_not, greater, other, effect, minimum=6, seed=0)
    n = min(len(greater), len(other))
    assert decision.n_needed is None or n < decision.n_needed <= _interval.MOST


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_gives_the_same_verdict(hash_seed: str) -> None:
    """To the last digit, whatever the process's own chance is."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        encoding="utf-8",
    )
    here = judge(judging.run(8), judging.STARTS)
    assert done.stdout.strip() == repr([here.verdict, here.reason, here.ratio, here.interval, here.spreads])
