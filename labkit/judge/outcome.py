"""What came out of a claim, in the words in which one predicts it: an arm, `same`, `yes` or `no`. Pure.

One rule for every page: who predicts `same` and who predicts the other arm say different things, and a claim that
does not hold proves only one of them right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labkit.judge.model import Judgement, Measured, Verdict, claimed

SAME = "same"
DECIDED: frozenset[Verdict] = frozenset({"holds", "does not hold"})


@dataclass(frozen=True)
class Outcome:
    """What the numbers say, and what they rule out."""

    word: str
    """What was seen; empty where nothing was."""
    possible: frozenset[str]
    """The predictions that the verdict leaves standing; empty where nothing is decided, and none is ruled out."""

    def hit(self, predicted: str) -> bool | None:
        """Whether this prediction came true; None where the run cannot tell."""
        if not self.possible:
            return None
        if predicted not in self.possible:
            return False
        return True if len(self.possible) == 1 else None


def outcome_of(judgement: Judgement) -> Outcome:
    """What came out of a judged claim."""
    decided = judgement.verdict in DECIDED
    claim = judgement.claim
    if not isinstance(claim, Measured):
        word = {"holds": "yes", "does not hold": "no"}.get(judgement.verdict, "")
        return Outcome(word, frozenset({word}) if decided else frozenset())
    judgement = replace(judgement, verdict=claimed(claim, judgement.verdict))
    word = _word(judgement, claim.effect)
    return Outcome(word, _possible(judgement, claim) if decided else frozenset())


def _word(judgement: Judgement, effect: float) -> str:
    if judgement.verdict == "holds":
        return str(judgement.spreads[0].arm)
    refuted = judgement.verdict in DECIDED
    if judgement.ratio is None:
        # Nothing on both sides is the same, if it decided anything.
        return SAME if refuted else ""
    greater, other = (str(spread.arm) for spread in judgement.spreads)
    if judgement.ratio > effect and not refuted:
        return greater
    return other if judgement.ratio < 1 / effect else SAME


def _possible(judgement: Judgement, claim: Measured) -> frozenset[str]:
    if judgement.verdict == "holds" or judgement.interval is None:
        return frozenset({_word(judgement, claim.effect)})
    other = str(judgement.spreads[1].arm)
    low, high = judgement.interval
    if high < 1 / claim.effect:
        return frozenset({other})
    return frozenset({SAME, other} if low < 1 / claim.effect else {SAME})
