"""The verdict engine: from a run and one claim to a judgement. Pure: the same run always gives the same verdict.

The rules are few. A run that did not measure the claim says so; an unfair one (labkit.judge._fairness) is not
comparable; bytes are compared as they are; everything else by the ratio of the medians and its 95 % interval against
the smallest effect worth naming. What an emulated CPU can only bound is withheld last, whatever the claim says.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

from infra.sides import KINDS, SideKind
from labkit.judge import _emulation, _fairness, model, words
from labkit.judge._decision import Decision, advised, decide, decide_exact, seed_of
from labkit.judge.model import Claim, Judgement, Measured, Observed, Spread, Verdict
from labkit.runs.records import Arm, Repeat, Results, Run

MIN_N = 6
"""Repeats a side below which no interval is believed: a median of five is one of three values nearly always."""

MIN_N_HEARTBEAT = 10
"""Where a periodic timer sets the time, its phase is one more source of spread."""


def judge(run: Run, claim: Claim, kinds: Mapping[str, SideKind] = KINDS) -> Judgement:
    """The judgement of one claim on one run."""
    return _measured(run, claim, kinds) if isinstance(claim, Measured) else _observed(run, claim, kinds)


def _measured(run: Run, claim: Measured, kinds: Mapping[str, SideKind]) -> Judgement:
    arms = claim.arms
    experiment = run.experiment(claim.metric.experiment)
    repeats = {arm: _counting(experiment, claim, arm) for arm in arms}
    spreads = tuple(_spread(arm, repeats[arm], claim) for arm in arms)
    evidence = _left_out(experiment, claim, arms)

    def judgement(decision: Decision) -> Judgement:
        return Judgement(
            claim,
            decision.verdict,
            decision.reason,
            spreads,
            decision.ratio,
            decision.interval,
            decision.n_needed,
            evidence,
        )

    if missing := _missing(run, claim, experiment, spreads, kinds):
        return judgement(Decision("not measured", missing))
    assert experiment is not None  # noqa: S101 - _missing has said so
    if unfair := _fairness.differences(
        repeats, subject=experiment.subject, exact=claim.metric.exact, accelerator=run.accelerator, kinds=kinds
    ):
        evidence = {**evidence, "differences": unfair}
        return judgement(Decision("not comparable", " ".join(unfair)))
    bounded = _emulation.bounded(_decision(run, claim, spreads), claim, repeats, kinds)
    return judgement(dataclasses.replace(bounded, verdict=model.claimed(claim, bounded.verdict)))


def _decision(run: Run, claim: Measured, spreads: Sequence[Spread]) -> Decision:
    greater, other = (spread.values for spread in spreads)
    if claim.metric.exact:
        return decide_exact(greater, other, claim.effect)
    minimum, seed = _minimum(claim), seed_of(run.id, claim.name)
    decision = decide(greater, other, claim.effect, minimum=minimum, seed=seed)
    return advised(decision, greater, other, claim.effect, minimum=minimum, seed=seed)


def _observed(run: Run, claim: Observed, kinds: Mapping[str, SideKind]) -> Judgement:
    experiment = run.experiment(claim.experiment)
    seen = claim.observe(run) if experiment else None
    if experiment is None or seen is None:
        return Judgement(claim, "not measured", _how(run, claim.experiment, experiment))
    by_side = {Arm(side): experiment.of(side) for side in kinds}
    if wrong := _fairness.identities(by_side, kinds):
        return Judgement(claim, "not comparable", " ".join(wrong), evidence=seen.evidence)
    verdict: Verdict = "holds" if seen.true else "does not hold"
    return Judgement(
        claim, verdict, "seen in this run" if seen.true else "this run shows otherwise", evidence=seen.evidence
    )


def _counting(experiment: Results | None, claim: Measured, arm: Arm) -> tuple[Repeat, ...]:
    of = experiment.of(arm, claim.metric.action) if experiment else ()
    return tuple(one for one in of if one.counts and _value(one, claim) is not None)


def _value(repeat: Repeat, claim: Measured) -> float | None:
    value = claim.metric.of(repeat)
    return value if value is not None and math.isfinite(value) else None


def _spread(arm: Arm, repeats: Sequence[Repeat], claim: Measured) -> Spread:
    values = tuple(value for one in repeats if (value := _value(one, claim)) is not None)
    if not values:
        return Spread(arm, 0, math.nan, math.nan, math.nan, ())
    return Spread(arm, len(values), statistics.median(values), min(values), max(values), values)


def _left_out(experiment: Results | None, claim: Measured, arms: Sequence[Arm]) -> Mapping[str, tuple[str, ...]]:
    """Arm as one types it -> why repeats of it are shown but not averaged."""
    why = {
        str(arm): tuple(
            f"repeat {one.number}: {'; '.join([*one.marks, *([one.problem] if one.problem else [])])}"
            for one in (experiment.of(arm, claim.metric.action) if experiment else ())
            if one.number > 0 and not one.counts
        )
        for arm in arms
    }
    return {arm: reasons for arm, reasons in why.items() if reasons}


def _minimum(claim: Measured) -> int:
    if claim.metric.exact:
        return 1
    return MIN_N_HEARTBEAT if claim.heartbeat else MIN_N


def _missing(
    run: Run,
    claim: Measured,
    experiment: Results | None,
    spreads: Sequence[Spread],
    kinds: Mapping[str, SideKind],
) -> str:
    """Why there is nothing to judge, and what to run; empty if there is enough."""
    if experiment is None:
        return _how(run, claim.metric.experiment, None)
    empty = [spread.arm for spread in spreads if not spread.n]
    if empty:
        named = " and the ".join(words.named(arm, kinds) for arm in empty)
        if experiment.state == "complete" and set(empty) == set(claim.unmade(experiment)):
            return f"the experiment {experiment.name} was run without the {named}{_deeper(run, experiment.name)}"
        return f"no repeat of the {named} counts; {_how(run, experiment.name, experiment)}"
    if experiment.state != "complete" and min(spread.n for spread in spreads) < _minimum(claim):
        return _how(run, experiment.name, experiment)
    return ""


def _deeper(run: Run, name: str) -> str:
    if run.full:
        return ", as the lab had none"
    return f": ./lab run {run.lab} {name} --full makes all that the lab has"


def _how(run: Run, name: str, experiment: Results | None) -> str:
    if experiment is None:
        found = f"the experiment {name} is not in this run"
    elif experiment.state == "complete":
        found = f"the experiment {name} left no value for it"
    else:
        found = f"the experiment {name} was {experiment.state} too early"
    problem = f" ({experiment.problem})" if experiment and experiment.problem else ""
    return f"{found}{problem}: ./lab run {run.lab} {name}"
