"""Further replicas for an experiment: newly made, so that what they take is not the age of the lab."""

from __future__ import annotations

from infra.outputs import Contract
from labkit.lifecycle import change
from labkit.measure.experiment import Place


def steps(there: int, wanted: int, fresh: bool) -> tuple[int, ...]:
    """The numbers of replicas to bring the lab to, one after the other, so that the wanted one is newly made. Pure.

    `fresh` says that the wanted one was made in this round already, for the other side.
    """
    if there == wanted and fresh:
        return ()
    down = () if there < wanted else (wanted - 1,)
    return (*down, wanted)


class Growth:
    """Grows the lab step by step. Keeps only which replica of which round is there."""

    def __init__(self) -> None:
        self._made: tuple[int, int] | None = None

    def to(self, place: Place, number: int, wanted: int) -> Contract:
        """Bring both sides to so many replicas; the last of them is made in round `number`. What is then there."""
        contract = change.now(place)
        there = len(contract.side(contract.replicas[0].side))
        for count in steps(there, wanted, self._made == (number, wanted)):
            place.progress.detail(f"pulumi up with replicas={count}")
            contract = change.up(place, {"replicas": count})
        self._made = (number, wanted)
        return contract

    def restore(self, place: Place) -> None:
        """Back to the number of replicas that the stack's file says."""
        self._made = None
        change.as_committed(place)
