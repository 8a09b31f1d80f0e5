"""./lab bench: how long this tool takes. What all benches share: figures, the lab's way up and down, the result.

A figure of theirs is wall time in seconds, where it does not say otherwise.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.figure import Figure
from infra import outputs, telling
from infra.outputs import Contract
from labkit.lifecycle import heal, leftovers
from labkit.lifecycle.pulumi import DESTROY
from labkit.lifecycle.set_up import Ready
from labkit.measure.first_answers import POLL_S
from labkit.measure.machine_box import machine_box
from labkit.system import waiting
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Progress, Quiet

BOTH = "vm,container"
FIRST_200_S = 120.0
"""Bound of the wait for a side's first answer after a command has ended."""


def file(what: str, lab: str = "") -> Path:
    """Where a bench keeps its result: one that is about a lab's own things beside them."""
    return (CHECKOUT / "labs" / lab if lab else CHECKOUT) / "bench" / f"{what}.json"


class Bench(ABC):
    """Measures one set-up machine by one lab, round by round."""

    def __init__(self, ready: Ready, progress: Progress, lab: str) -> None:
        self._ready = ready
        self._progress = progress
        self._lab = lab
        self._figures: dict[str, Figure] = {}

    def run(self, repeats: int) -> dict[str, Any]:
        """Measure everything `repeats` times; what bench/WHAT.json holds. The lab is down before and after."""
        self._down()
        try:
            for number in range(repeats):
                self._progress.line(f"Round {number + 1} of {repeats}")
                self._round()
        finally:
            self._down()
        return {
            "schema_version": 1,
            "machine": machine_box(self._ready),
            "repeats": repeats,
            "figures": [figure.summary() for figure in self._figures.values()],
        }

    @abstractmethod
    def _round(self) -> None:
        """Add each figure once. The lab is down before and after."""

    def _add(self, name: str, aim: float | None, value: float, unit: str = "s") -> None:
        self._figures.setdefault(name, Figure(name, unit, aim)).repeats.append(value)
        self._progress.line(f"  {name}: {value:.1f} {unit}")

    def _contract(self) -> Contract:
        """What the lab, which is up, exports: its addresses are not known before."""
        return outputs.from_outputs(self._ready.pulumi.outputs(self._lab))

    def _down(self) -> None:
        heal.before_down(self._ready, self._lab, Quiet(), lambda _: None)
        pulumi(self._ready, [*DESTROY, "-s", self._lab])
        leftovers.remove(self._ready.machine, self._lab)

    def _time(self, words: Sequence[str]) -> float:
        begin = time.monotonic()
        pulumi(self._ready, [*words, "-s", self._lab])
        return time.monotonic() - begin


def pulumi(ready: Ready, words: Sequence[str]) -> None:
    """Run Pulumi without a word. Raises LabError with its last words."""
    outcome = ready.pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(f"The bench cannot go on{telling.because(outcome.output)}", hint="./lab status")


def urls_of(contract: Contract, sides: str) -> dict[str, str]:
    """Side -> where its first replica answers. Pure."""
    return {side: contract.side(side)[0].url for side in sides.split(",")}


def until(condition: Callable[[], bool], within_s: float) -> None:
    """Wait for a condition. Raises LabError at the bound."""
    if not waiting.until(condition, within_s, POLL_S):
        raise LabError(f"what the bench waits for did not come within {within_s:.0f} s", hint="./lab status")
