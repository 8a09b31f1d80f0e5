"""Figures of the bench: derived from repeats; another generator's results read rightly."""

from __future__ import annotations

import pytest

from bench.figure import Figure
from bench.vegeta import parse

ROW = "{timestamp},{status},{latency},0,100,,Ym9keQ==,,{seq},GET,http://127.0.0.1/whoami,aGVhZA==\n"


def test_a_figure_is_derived_from_its_repeats() -> None:
    """Median and spread beside every repeat, with unit and aim."""
    assert Figure("p99", "ms", 5.0, [3.0, 1.0, 2.00049]).summary() == {
        "name": "p99",
        "unit": "ms",
        "aim": 5.0,
        "n": 3,
        "median": 2.0,
        "min": 1.0,
        "max": 3.0,
        "repeats": [3.0, 1.0, 2.0],
    }


def test_lateness_of_another_generator_is_against_its_own_most_punctual_request() -> None:
    """100/s from second 1000: the second request is 5 ms late, the third on time, the last one failed."""
    begin = 1_000 * 10**9
    rows = (
        (begin + 1_000_000, 200, 2_000_000, 0),
        (begin + 16_000_000, 200, 3_000_000, 1),
        (begin + 21_000_000, 200, 2_000_000, 2),
        (begin + 33_000_000, 0, 1_000_000_000, 3),
    )
    keys = ("timestamp", "status", "latency", "seq")
    text = "".join(ROW.format(**dict(zip(keys, row, strict=True))) for row in rows)
    found = parse(text, 100, 0.5)
    assert found.lateness_s == pytest.approx((0.0, 0.005, 0.0, 0.002))
    assert found.latency_s == pytest.approx((0.002, 0.003, 0.002))
    assert (found.requests, found.cpu_s) == (4, 0.5)


def test_an_attack_without_results_is_empty() -> None:
    """No rows, no error."""
    assert parse("", 100, 0.0).requests == 0
