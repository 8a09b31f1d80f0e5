"""What an observed claim looks at: the facts of the arms that it names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.judge.model import Observation
from labkit.runs.records import Arm, Run

Facts = Mapping[str, Any]


def last(run: Run, experiment: str, arms: Sequence[Arm], action: str = "") -> list[Facts] | None:
    """The facts of the last repeat of each arm that counts, of one action if given; None unless each has one."""
    found = run.experiment(experiment)
    if found is None:
        return None
    counting = [[one.facts for one in found.of(arm, action) if one.counts] for arm in arms]
    return [facts[-1] for facts in counting] if all(counting) else None


def seen(
    experiment: str, arms: Sequence[Arm], see: Callable[..., tuple[bool, Facts] | None], action: str = ""
) -> Callable[[Run], Observation | None]:
    """An observation of the last facts of each arm, which `see` takes in this order."""

    def observe(run: Run) -> Observation | None:
        facts = last(run, experiment, arms, action)
        if facts is None:
            return None
        try:
            found = see(*facts)
        except (KeyError, TypeError):
            # A run of another version of this experiment: what it did not see is not known.
            return None
        return Observation(*found) if found else None

    return observe
