"""Numbers and judgements as a person reads them."""

from __future__ import annotations

import dataclasses
import math

import pytest

from infra.sides import KINDS, SideKind
from labkit.judge import words
from labkit.judge._verdict import judge
from labkit.judge.model import Judgement, Observation, Observed
from labkit.runs.records import Arm
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
    """All that a page says of it."""
    parts = (words.verdict(judgement), words.compared(judgement), words.interval(judgement), words.medians(judgement),
             words.reason(judgement))  # fmt: skip
    return "\n".join(parts).replace("\u00a0", " ")


def test_a_verdict_is_told_with_all_its_numbers() -> None:
    """Verdict, reason, what is divided by what, interval, medians with unit, spread and n."""
    told = _told(judge(judging.run(), STARTS))
    for part in (
        "Holds: the whole interval lies beyond 1.5.",
        "VM ÷ container",
        "16.6 to 18.9",
        "VM 8.82 s (8.09 s to 10.1 s), n = 10; container 497 ms (473 ms to 540 ms), n = 10",
    ):
        assert part in told


def test_exact_bytes_have_no_spread() -> None:
    """They are told as they are."""
    larger = judge(judging.run(), LARGER)
    assert words.medians(larger).replace("\u00a0", " ") == "VM 583 MiB, n = 1; container 173 MiB, n = 1"
    assert words.interval(larger) == ""


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
    assert "VM -, n = 0; container -, n = 0" in told
    assert "nan" not in told


def test_an_observed_claim_has_no_numbers() -> None:
    """It has a verdict with its reason."""
    claim = Observed(
        "kernel", "Operating system", "Own kernel.", "start", lambda run: Observation(True, {}), "it boots"
    )
    told = _told(judge(judging.run(), claim)).split("\n")
    assert told == ["Holds: seen in this run.", "", "", "", "Seen in this run."]


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        (Arm("vm"), "VM"),
        (Arm("vm", {"path": "bridged"}), "VM (bridged)"),
        (Arm("container", {"path": "own address", "limit": "no limit"}), "container (own address, no limit)"),
        (Arm("pod", {"path": "nat"}), "pod (nat)"),
    ],
)
def test_an_arm_is_named_by_its_side_and_its_factors(arm: Arm, name: str) -> None:
    """A side of another version by its own name."""
    assert words.named(arm) == name


def test_a_prediction_is_read_as_the_arm_that_it_names() -> None:
    """What names none is read as it is."""
    claim = dataclasses.replace(STARTS, greater=Arm("vm", {"path": "nat"}))
    assert [words.predicted(claim, word) for word in ("vm nat", "container", "same")] == [
        "VM (nat)",
        "container",
        "same",
    ]


def test_the_banner_names_each_side_that_has_a_kernel_of_its_own() -> None:
    """The others run on their server's kernel, which nobody emulates."""
    assert words.banner() == "EMULATED CPU (TCG): the VM's times and CPU are upper bounds."
    kinds = {**KINDS, "kata": SideKind("kata", "Kata pod", "", shares_kernel=False)}
    assert words.banner(kinds) == "EMULATED CPU (TCG): the VM's and the Kata pod's times and CPU are upper bounds."
