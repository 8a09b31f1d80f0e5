"""The verdict engine, case by case: numbers -> verdict and reason."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from labkit.judge import _emulation, words
from labkit.judge._decision import Decision, advised, decide, decide_exact, seed_of
from labkit.judge._verdict import judge
from labkit.judge.model import BoundBy, Judgement, Measured, Metric, Observation, Observed, Verdict
from labkit.judge.outcome import outcome_of
from labkit.runs.records import Repeat, Run
from tests.unit import judging
from tests.unit.judging import CONTAINER, LARGER, STARTS, VM

TEN = (9.6, 9.7, 9.8, 9.9, 10.0, 10.0, 10.1, 10.2, 10.3, 10.4)
TWENTY = tuple(2 * value for value in TEN)
WILD = (6.0, 9.0, 12.0, 14.0, 17.0, 19.0, 22.0, 25.0, 28.0, 31.0)


def _decide(greater: Sequence[float], other: Sequence[float]) -> Decision:
    decision = decide(greater, other, 1.5, minimum=6, seed=1)
    return advised(decision, greater, other, 1.5, minimum=6, seed=1)


@pytest.mark.parametrize(
    ("greater", "other", "verdict", "reason"),
    [
        (TWENTY, TEN, "holds", "the whole interval lies beyond 1.5"),
        (TEN, TEN, "does not hold", "the whole interval lies below 1.5"),
        (TEN, TWENTY, "does not hold", "the whole interval lies below 1.5"),
        (WILD, TEN, "not decidable here", "n too small: the interval contains 1.5"),
        (TWENTY[:5], TEN, "not decidable here", "n too small: 5 a side, and a verdict needs 6"),
        (TWENTY, TEN[:1], "not decidable here", "n too small: 1 a side, and a verdict needs 6"),
        ([0.0, *TWENTY], TEN, "not decidable here", "a ratio needs values above 0, and not all of these are"),
        (
            [15.0] * 10,
            [10.0] * 10,
            "not decidable here",
            "n too small: the ratio lies so close to 1.5 that even 200 repeats a side would not decide",
        ),
    ],
)
def test_the_interval_against_the_smallest_effect(
    greater: Sequence[float], other: Sequence[float], verdict: Verdict, reason: str
) -> None:
    """Wholly beyond, wholly below, or neither; and never from too few repeats."""
    decision = _decide(greater, other)
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_a_run_of_the_n_that_would_do_does() -> None:
    """The forecast is no promise, but with medians and spread as they were most such runs decide."""
    first = _decide(WILD, TEN)
    assert first.n_needed is not None
    again = first.n_needed // len(WILD) + 1
    assert decide(WILD * again, TEN * again, 1.5, minimum=6, seed=2).verdict == "holds"


def test_too_few_repeats_ask_for_the_least_that_a_verdict_needs() -> None:
    """A forecast from five values would be a guess."""
    assert _decide(TWENTY[:5], TEN).n_needed == 6


@pytest.mark.parametrize(
    ("greater", "other", "verdict", "ratio"),
    [
        ([300], [100], "holds", 3.0),
        ([300, 300], [100, 100, 100], "holds", 3.0),
        ([150], [100], "holds", 1.5),
        ([149], [100], "does not hold", 1.49),
        ([100], [300], "does not hold", 1 / 3),
        ([1], [0], "holds", None),
        ([0], [0], "does not hold", None),
        ([300, 301], [100], "not comparable", None),
        ([300], [100, 99], "not comparable", None),
    ],
)
def test_what_is_counted_is_compared_as_it_is(
    greater: list[float], other: list[float], verdict: Verdict, ratio: float | None
) -> None:
    """One value a side is enough, there is no interval, and all repeats must agree."""
    decision = decide_exact(greater, other, 1.5)
    assert (decision.verdict, decision.interval) == (verdict, None)
    assert decision.ratio == (None if ratio is None else pytest.approx(ratio))


def test_the_well_formed_run_is_judged() -> None:
    """Both claims of the base from which the other cases differ by one fact hold, with all that they rest on."""
    starts, larger = judge(judging.run(), STARTS), judge(judging.run(), LARGER)
    assert (starts.verdict, larger.verdict) == ("holds", "holds")
    assert [(one.arm, one.n) for one in starts.spreads] == [(VM, 10), (CONTAINER, 10)]
    assert starts.ratio is not None
    assert starts.interval is not None
    assert starts.interval[0] < starts.ratio < starts.interval[1]
    assert [(one.arm, one.n) for one in larger.spreads] == [(VM, 1), (CONTAINER, 1)]
    assert larger.interval is None


def _metric(unit: str, *, better: str = "lower") -> Metric:
    return Metric("x", unit, "", "start", "x", 1.0, "start", better)  # type: ignore[arg-type]


def _claim(bound_by: BoundBy, greater: str = "vm", unit: str = "s", better: str = "lower") -> Measured:
    arms = (VM, CONTAINER) if greater == "vm" else (CONTAINER, VM)
    return Measured("one", "Speed", "", _metric(unit, better=better), *arms, 1.5, bound_by, "")


def _valued(run: Run, values: Mapping[str, float], **more: float) -> Run:
    """Each repeat's x about the given value of its side; `more` values on the VM's side."""

    def change(repeat: Repeat) -> Repeat:
        x = values[repeat.side] * (1 + repeat.number / 100)
        emulated = repeat.conditions["accelerator"] == "tcg"
        return dataclasses.replace(repeat, values={"x": x, **(more if emulated else {})})

    return judging.changed(run, change)


CACHE = {_emulation.TRANSLATION_CACHE: 88.0}


@pytest.mark.parametrize(
    ("claim", "values", "more", "kvm", "tcg"),
    [
        (_claim("cpu"), (20.0, 10.0), {}, "holds", "not decidable here"),
        (_claim("cpu"), (10.0, 10.0), {}, "does not hold", "does not hold"),
        (_claim("timer"), (20.0, 10.0), {}, "holds", "holds"),
        (_claim("bytes", unit="bytes"), (20.0, 10.0), {}, "holds", "holds"),
        (_claim("sharing", unit="packages"), (20.0, 10.0), {}, "holds", "holds"),
        (_claim("memory", unit="MiB"), (20.0, 10.0), {}, "holds", "not decidable here"),
        (_claim("memory", unit="MiB"), (10.0, 10.0), {}, "does not hold", "does not hold"),
        (_claim("memory", unit="MiB"), (20.0, 10.0), CACHE, "holds", "holds"),
        (_claim("sharing", unit="MiB"), (20.0, 10.0), {}, "holds", "not decidable here"),
        (_claim("sharing", unit="MiB"), (20.0, 10.0), CACHE, "holds", "holds"),
        # The VM is the one that is claimed to do better: emulation speaks against it, so it can only be confirmed.
        (_claim("cpu", "container"), (10.0, 20.0), {}, "holds", "holds"),
        (_claim("cpu", "container"), (20.0, 10.0), {}, "does not hold", "not decidable here"),
        # Requests a second: an emulated side's are a lower bound.
        (_claim("cpu", "container", "/s", "higher"), (10.0, 20.0), {}, "holds", "not decidable here"),
        (_claim("cpu", "container", "/s", "higher"), (20.0, 20.0), {}, "does not hold", "does not hold"),
        (_claim("cpu", "vm", "/s", "higher"), (20.0, 10.0), {}, "holds", "holds"),
        (_claim("cpu", "vm", "/s", "higher"), (10.0, 20.0), {}, "does not hold", "not decidable here"),
    ],
)
def test_an_emulated_cpu_shows_only_a_bound(
    claim: Measured, values: tuple[float, float], more: dict[str, float], kvm: Verdict, tcg: Verdict
) -> None:
    """What a VM needs of an emulated CPU is an upper bound; everything else is decided as with KVM."""
    by_side = dict(zip(("vm", "container"), values, strict=True))
    assert judge(_valued(judging.run(), by_side), claim).verdict == kvm
    judgement = judge(_valued(judging.run(accelerator="tcg"), by_side, **more), claim)
    assert judgement.verdict == tcg
    assert judgement.n_needed is None
    if tcg != kvm:
        assert words.EMULATED in judgement.reason


@pytest.mark.parametrize(
    ("greater", "values", "kvm", "tcg"),
    [
        ("vm", (20.0, 10.0), "does not hold", "not decidable here"),
        ("vm", (10.0, 10.0), "holds", "holds"),
        ("container", (10.0, 20.0), "does not hold", "does not hold"),
        ("container", (20.0, 10.0), "holds", "not decidable here"),
    ],
)
def test_that_no_difference_is_worth_naming_is_the_opposite_claim(
    greater: str, values: tuple[float, float], kvm: Verdict, tcg: Verdict
) -> None:
    """By the same numbers and the same interval; what an emulated CPU cannot give is what it could not give before."""
    claim = dataclasses.replace(_claim("cpu", greater), below=True)
    by_side = dict(zip(("vm", "container"), values, strict=True))
    assert judge(_valued(judging.run(), by_side), claim).verdict == kvm
    emulated = judge(_valued(judging.run(accelerator="tcg"), by_side), claim)
    assert emulated.verdict == tcg
    if tcg != kvm:
        only = "refuted, not confirmed" if kvm == "holds" else "confirmed, not refuted"
        assert only in emulated.reason


def test_who_predicts_the_same_is_right_where_no_difference_is_claimed_and_seen() -> None:
    """And who predicts an arm where that claim is refuted."""
    claim = dataclasses.replace(_claim("cpu"), below=True)
    same = judge(_valued(judging.run(), {"vm": 10.0, "container": 10.0}), claim)
    assert outcome_of(same).possible == {"same"}
    assert outcome_of(judge(_valued(judging.run(), {"vm": 20.0, "container": 10.0}), claim)).possible == {"vm"}


def test_each_repeat_must_prove_that_the_translation_cache_is_subtracted() -> None:
    """One that does not is enough to make a VM's memory an upper bound."""
    run = _valued(judging.run(accelerator="tcg"), {"vm": 20.0, "container": 10.0}, **CACHE)

    def forgets(repeat: Repeat) -> Repeat:
        return dataclasses.replace(repeat, values={"x": 20.0}) if (repeat.side, repeat.number) == ("vm", 4) else repeat

    assert judge(run, _claim("memory", unit="MiB")).verdict == "holds"
    assert judge(judging.changed(run, forgets), _claim("memory", unit="MiB")).verdict == "not decidable here"


def test_more_repeats_are_not_asked_for_where_they_would_not_help() -> None:
    """Undecided, but on the side of a verdict that an emulated CPU cannot give."""
    run = judging.changed(judging.run(accelerator="tcg"), _spread_out)
    judgement = judge(run, dataclasses.replace(STARTS, effect=15.0))
    assert judgement.verdict == "not decidable here"
    assert judgement.interval is not None
    assert judgement.interval[0] < 15.0 < judgement.interval[1]
    assert words.EMULATED in judgement.reason
    assert judgement.n_needed is None


def _spread_out(repeat: Repeat) -> Repeat:
    values = {name: value * (1 + 0.1 * repeat.number) for name, value in repeat.values.items()}
    return dataclasses.replace(repeat, values=values)


def test_the_subject_does_not_switch_the_rule_off() -> None:
    """An experiment may call the accelerator its subject; that changes nothing."""
    run = judging.changed(judging.run(accelerator="tcg"), judging.same, subject=("accelerator", "boot_id"))
    assert judge(run, STARTS).verdict == "not decidable here"


def test_a_heartbeat_needs_ten_repeats() -> None:
    """Nine are too few where a periodic timer sets the time, and enough where none does."""
    beating = dataclasses.replace(STARTS, heartbeat=True)
    nine = judge(judging.run(9), beating)
    assert (nine.verdict, nine.n_needed) == ("not decidable here", 10)
    assert judge(judging.run(9), STARTS).verdict == judge(judging.run(10), beating).verdict == "holds"


def _failed(repeat: Repeat) -> Repeat:
    return dataclasses.replace(repeat, values={}, problem="no 200 within 60 s")


def _stopped(n: int, problem: str = "") -> Run:
    return judging.changed(judging.run(n), judging.same, state="interrupted", problem=problem)


def _marked(repeat: Repeat) -> Repeat:
    return dataclasses.replace(repeat, marks=("late prober",) if repeat.side == "vm" and repeat.number > 5 else ())


@pytest.mark.parametrize(
    ("run", "verdict", "reason"),
    [
        (dataclasses.replace(judging.run(), experiments=()), "not measured", "./lab run deployment start"),
        (_stopped(3, problem="Ctrl-C"), "not measured", "was interrupted too early (Ctrl-C)"),
        (_stopped(8), "holds", "beyond 1.5"),
        (judging.changed(judging.run(), _failed), "not measured", "no repeat of the VM and the container counts"),
        (judging.run(0), "not measured", "no repeat of the VM and the container counts"),
        (judging.changed(judging.run(), _marked), "not decidable here", "n too small: 5 a side"),
    ],
)
def test_what_was_not_measured_says_what_to_run(run: Run, verdict: Verdict, reason: str) -> None:
    """Warm-ups, failed and marked repeats do not count; an interrupted run is judged if enough of it is there."""
    judgement = judge(run, STARTS)
    assert judgement.verdict == verdict
    assert reason in judgement.reason


@pytest.mark.parametrize(
    ("full", "next_step"),
    [(False, ": ./lab run deployment start --full makes all that the lab has"), (True, ", as the lab had none")],
)
def test_an_arm_that_a_run_did_not_make_is_not_asked_for_by_the_same_command(full: bool, next_step: str) -> None:
    """A complete run of the same depth would lack it again."""
    whole = judging.run()
    alone = tuple(
        dataclasses.replace(one, repeats=tuple(each for each in one.repeats if each.side == "container"))
        for one in whole.experiments
    )
    judgement = judge(dataclasses.replace(whole, experiments=alone, full=full), STARTS)
    assert judgement.verdict == "not measured"
    assert judgement.reason == f"the experiment start was run without the VM{next_step}"


def test_repeats_that_do_not_count_are_named() -> None:
    """Nobody has to wonder where the other repeats went."""
    assert judge(judging.changed(judging.run(), _marked), STARTS).evidence == {
        "vm": tuple(f"repeat {number}: late prober" for number in range(6, 11))
    }


def test_a_value_that_is_no_number_does_not_count() -> None:
    """NaN and infinity enter no median."""

    def change(repeat: Repeat) -> Repeat:
        odd = {1: math.nan, 2: math.inf}.get(repeat.number)
        return repeat if odd is None else dataclasses.replace(repeat, values={"ready_s": odd})

    assert [spread.n for spread in judge(judging.changed(judging.run(), change), STARTS).spreads] == [8, 8]


def _sees(answer: Observation | None) -> Observed:
    return Observed(
        "own-kernel", "Operating system", "A VM has its own kernel.", "start", lambda run: answer, "it boots"
    )


@pytest.mark.parametrize(
    ("claim", "run", "verdict"),
    [
        (_sees(Observation(True, {"kernel": "6.12"})), judging.run(), "holds"),
        (_sees(Observation(False, {"kernel": "6.12"})), judging.run(), "does not hold"),
        (_sees(None), judging.run(), "not measured"),
        (_sees(Observation(True, {})), dataclasses.replace(judging.run(), experiments=()), "not measured"),
        (
            _sees(Observation(True, {})),
            judging.changed(judging.run(), judging.with_sides_exchanged),
            "not comparable",
        ),
    ],
)
def test_an_observed_claim_has_evidence_and_no_numbers(claim: Observed, run: Run, verdict: Verdict) -> None:
    """Its predicate decides, unless the sides are not what they say."""
    judgement = judge(run, claim)
    assert judgement.verdict == verdict
    assert (judgement.ratio, judgement.interval, judgement.spreads) == (None, None, ())


def test_the_seed_comes_from_names_alone() -> None:
    """Fixed here, so that a change that would change old verdicts is noticed; and no two names run together."""
    assert seed_of("20261124T150102-deployment", "starts-slower") == 15643387581499920293
    assert seed_of("ab", "c") != seed_of("a", "bc")


def test_a_judgement_is_a_value() -> None:
    """Judging leaves the run as it was, and twice the same is the same."""
    run = judging.run()
    once: Judgement = judge(run, STARTS)
    fields: dict[str, Any] = {field.name: getattr(once, field.name) for field in dataclasses.fields(once)}
    assert fields == {name: getattr(judge(run, STARTS), name) for name in fields}
    assert run == judging.run()
