"""Walks through a guide: shows, runs, checks, hints. What it shows on and runs with are arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from labkit.guide.model import Guide, Section, Step
from labkit.guide.text import Fence

Choice = Literal["run", "skip", "quit"]


@dataclass(frozen=True)
class Ran:
    """A fence that ran: exit status, seconds of wall time, and its output where it was not shown at once."""

    fence: Fence
    status: int
    seconds: float
    output: str = ""

    @property
    def ok(self) -> bool:
        """It ended with status 0."""
        return self.status == 0


class Screen(Protocol):
    """What the reader sees, and how the reader answers."""

    def section(self, section: Section, *, pause: bool) -> bool:
        """Show a section's prose; with `pause` wait for the reader. False: the reader quits."""

    def step(self, step: Step, total: int) -> Choice:
        """Show a step and ask what to do."""

    def passed(self, step: Step, check: Ran) -> None:
        """Say that the step's check holds."""

    def failed(self, step: Step, ran: Ran) -> Choice:
        """Say which fence failed, show the hint, and ask; `run` tries the step again."""


@dataclass(frozen=True)
class Result:
    """How far the walk came. `stopped` is the step at which it ended early."""

    passed: Sequence[Step]
    skipped: Sequence[Step]
    stopped: Step | None = None

    @property
    def complete(self) -> bool:
        """Every step was run, and its check held."""
        return self.stopped is None and not self.skipped


def walk(guide: Guide, first: Step, screen: Screen, run: Callable[[Fence], Ran]) -> Result:
    """Lead through the guide from the step `first` on; the prose before the first step is shown from there only."""
    passed: list[Step] = []
    skipped: list[Step] = []
    for section in guide.sections:
        steps = [step for step in section.steps if step.number >= first.number]
        if (section.steps and not steps) or (not section.steps and section.line < first.line and first.number > 1):
            continue
        if not screen.section(section, pause=not section.steps):
            return Result(passed, skipped, _next(guide, section))
        for step in steps:
            choice = screen.step(step, len(guide.steps))
            while choice == "run":
                failure = _try(step, screen, run)
                if failure is None:
                    passed.append(step)
                    break
                choice = screen.failed(step, failure)
            if choice == "skip":
                skipped.append(step)
            elif choice == "quit":
                return Result(passed, skipped, step)
    return Result(passed, skipped)


def _try(step: Step, screen: Screen, run: Callable[[Fence], Ran]) -> Ran | None:
    """Run a step's fences; the one that failed, if one did."""
    for fence in (step.command, step.check):
        ran = run(fence)
        if not ran.ok:
            return ran
    screen.passed(step, ran)
    return None


def _next(guide: Guide, section: Section) -> Step | None:
    return next((step for step in guide.steps if step.line > section.line), None)
