"""Numbers and judgements as a person reads them."""

from __future__ import annotations

import dataclasses
import math

import pytest

from labkit.judge import words
from labkit.judge._verdict import judge
from labkit.judge.model import Judgement, Observation, Observed
from tests.unit import judging
from tests.unit.judging import LARGER, STARTS, changed, having


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 bytes"),
        (512, "bytes", "512 bytes"),
        (1536, "bytes", "1.50 KiB"),
        (1572864, "bytes", "1.50 MiB"),
        (611319808, "bytes", "583 MiB"),
        (2 << 30, "bytes", "2 GiB"),
        (1023 * 1024 + 900, "bytes", "1 024 KiB"),
        (38.25, "MiB", "38.2 MiB"),
        (2048, "MiB", "2 GiB"),
        (0.5, "MiB", "512 KiB"),
        (31.04, "s", "31.0 s"),
        (132.4, "s", "132 s"),
        (0.34, "s", "340 ms"),
        (0.0005, "s", "500 µs"),
        (0.99999, "s", "1.00e3 ms"),
        (1.0, "s", "1 s"),
        (1500, "ms", "1.50 s"),
        (214, "packages", "214 packages"),
        (12345, "packages", "12 345 packages"),
        (3.14159, "%", "3.14%"),
        (300, "/s", "300/s"),
        (7, "", "7"),
        (-0.34, "s", "-340 ms"),
        (math.nan, "s", "-"),
        (math.inf, "bytes", "-"),
    ],
)
def test_a_quantity_has_three_figures_and_the_unit_that_suits_it(value: float, unit: str, text: str) -> None:
    """One rule for every report."""
    assert words.quantity(value, unit).replace("\u00a0", " ") == text.replace("1.00e3", "1 000")


def test_numbers_read_together_share_a_unit() -> None:
    """That of the largest, so that they can be compared at a glance."""
    told = words.quantities([1.2, 0.34, math.nan], "s")
    assert [text.replace("\u00a0", " ") for text in told] == ["1.20 s", "0.340 s", "-"]


def _told(judgement: Judgement) -> str:
    return "\n".join(words.sentences(judgement)).replace("\u00a0", " ")


def test_a_verdict_is_told_with_all_its_numbers() -> None:
    """Verdict, reason, ratio with interval, medians with unit, spread and n."""
    told = _told(judge(judging.run(), dataclasses.replace(STARTS, reference="Someone, 2020.")))
    for part in (
        "A VM starts slower.",
        "Holds: the whole interval lies beyond 1.5.",
        "The VM's median is 17.7 times the container's (95 % interval: 16.6 to 18.9); the claim asks for at least 1.5",
        "VM: median 8.82 s (8.09 s to 10.1 s, n = 10); container: median 0.497 s (0.473 s to 0.540 s, n = 10).",
        "Why: it boots.",
        "Published elsewhere, not measured here: Someone, 2020.",
    ):
        assert part in told


def test_exact_bytes_have_no_spread() -> None:
    """They are told as they are."""
    told = _told(judge(judging.run(), LARGER))
    assert "VM: 583 MiB; container: 173 MiB." in told
    assert "The VM's number is 3.37 times the container's; the claim" in told
    assert "interval" not in told


def test_too_few_repeats_are_told_what_would_do() -> None:
    """The least for a verdict, or the forecast."""
    assert "From 6 repeats a side on there is a verdict to be had; these are 2." in _told(judge(judging.run(2), STARTS))
    open_ = dataclasses.replace(judge(judging.run(), STARTS), verdict="not decidable here", n_needed=30)
    assert "About 30 repeats a side would do, if medians and spread stay as they are; these are 10." in _told(open_)


def test_a_refusal_and_an_emulated_cpu_are_told_in_full() -> None:
    """The reason is a sentence that stands alone."""
    assert "Not comparable: The sides differ in the state of the caches" in _told(
        judge(changed(judging.run(), having("vm", cache="cold")), STARTS)
    )
    assert "Not decidable here: EMULATED CPU (TCG): on a real CPU the VM would do better" in _told(
        judge(judging.run(accelerator="tcg"), STARTS)
    )


def test_missing_numbers_are_told_as_missing() -> None:
    """No NaN reaches a reader."""
    run = dataclasses.replace(judging.run(), experiments=())
    told = _told(judge(run, STARTS))
    assert "VM: no repeat counts; container: no repeat counts." in told
    assert "nan" not in told


def test_repeats_that_do_not_count_are_told() -> None:
    """With their reason."""
    late = changed(
        judging.run(), lambda one: dataclasses.replace(one, marks=("late prober",) if one.number == 2 else ())
    )
    assert "Not counted for the container: repeat 2: late prober." in _told(judge(late, STARTS))


def test_an_observed_claim_is_told_with_its_evidence() -> None:
    """Facts, one a line, and no numbers."""
    claim = Observed(
        "kernel",
        "Operating system",
        "Own kernel.",
        "start",
        lambda run: Observation(True, {"kernel": ["6.1", "6.12"]}),
        "it boots",
    )
    assert (
        _told(judge(judging.run(), claim)) == "Own kernel.\nHolds: seen in this run.\nkernel: 6.1, 6.12\nWhy: it boots"
    )
