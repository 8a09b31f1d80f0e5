"""What an emulated CPU can show and what it cannot: a rule of the engine, which no claim can switch off. Pure.

Without KVM, QEMU translates a guest's instructions (accelerator `tcg`). Whatever the guest then needs of the CPU, in
time or in work, is an upper bound of what it would need on a real one. So an emulated side that comes out worse than
claimed proves nothing, and one that comes out better than claimed refutes the claim all the more.

`memory` is what QEMU holds for a guest on the server. Under TCG that includes the translation cache (up to 1 GiB),
which no real CPU needs. A metric bound by memory is taken after subtracting it, and the guest's own memory is the same
under both accelerators; so where each repeat of the emulated side proves the subtraction by the value
`translation_cache_mib`, the claim is decided as usual. Where a repeat does not, its memory is an upper bound like time.
Memory that is "bound by sharing" is still QEMU's memory, and is treated as such.

`bytes` (on disk), `sharing` (of files and layers) and `timer` do not depend on who runs the instructions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from infra.sides import SideKind
from labkit.judge import words
from labkit.judge._decision import Decision
from labkit.judge.model import Measured, Verdict, claimed
from labkit.runs.records import Arm, Repeat

TRANSLATION_CACHE = "translation_cache_mib"
MEMORY_UNIT = "MiB"


def is_emulated(repeats: Sequence[Repeat]) -> bool:
    """Whether an arm ran on an emulated CPU, as its repeats say themselves."""
    return any(one.conditions.get("accelerator") == "tcg" for one in repeats)


def withheld(claim: Measured, repeats: Mapping[Arm, Sequence[Repeat]]) -> dict[Verdict, Arm]:
    """The verdicts that this claim cannot get here -> the emulated arm that stands in the way."""
    found: dict[Verdict, Arm] = {}
    for arm, own in repeats.items():
        if is_emulated(own) and _only_a_bound(claim, own):
            raises_ratio = (arm == claim.greater) == (claim.metric.better == "lower")
            found["holds" if raises_ratio else "does not hold"] = arm
    return found


def bounded(
    decision: Decision, claim: Measured, repeats: Mapping[Arm, Sequence[Repeat]], kinds: Mapping[str, SideKind]
) -> Decision:
    """The decision, unless an emulated CPU alone may have made it.

    An undecided one whose ratio points to a withheld verdict is withheld too: more repeats would not help.
    """
    cannot = withheld(claim, repeats)
    if not cannot or decision.ratio is None:
        return decision
    leans: Verdict = "holds" if decision.ratio > claim.effect else "does not hold"
    if leans not in cannot:
        decided = decision.verdict == leans
        return (
            dataclasses.replace(decision, reason=f"{decision.reason}, in spite of {words.EMULATED}")
            if decided
            else decision
        )
    word = words.named(cannot[leans], kinds)
    only = "refuted, not confirmed" if claimed(claim, leans) == "holds" else "confirmed, not refuted"
    why = f"{words.EMULATED}: on a real CPU the {word} would do better, so the claim can only be {only}"
    if len(cannot) == len(repeats):
        why = f"{words.EMULATED}: on a real CPU both would do better, and nobody knows which of them by more"
    if decision.interval is None and not claim.metric.exact:
        return dataclasses.replace(decision, reason=f"{decision.reason}; and {why}")
    return dataclasses.replace(decision, verdict="not decidable here", reason=why, n_needed=None)


def _only_a_bound(claim: Measured, repeats: Sequence[Repeat]) -> bool:
    if claim.bound_by == "cpu":
        return True
    if claim.bound_by == "memory" or (claim.bound_by == "sharing" and claim.metric.unit == MEMORY_UNIT):
        return not all(TRANSLATION_CACHE in one.values for one in repeats)
    return False
