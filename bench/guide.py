"""./lab bench guide: how long the commands of a lab's guide take, checks included, without reading and typing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import tables
from bench.common import Bench
from labkit.guide import walk
from labkit.guide.fence import Runner
from labkit.guide.model import Guide, Section, Step
from labkit.guide.text import CHECK, Fence
from labkit.guide.walk import Choice, Ran
from labkit.lifecycle import pulumi
from labkit.lifecycle.set_up import Ready
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Progress

Run = Callable[[Fence], Ran]


def runner(ready: Ready, lab: str) -> Run:
    """Runs fences as ./lab guide does. What a command prints is shown, as a reader sees it."""
    return Runner(lab, lambda: pulumi.environment(ready.toolchain, ready.machine.docker_host))


class GuideWalk(Bench):
    """A walk through the whole guide, which takes its lab up and down itself. `begin` makes each walk's runner."""

    def __init__(
        self, ready: Ready, progress: Progress, lab: str, found: Guide, begin: Callable[[Ready, str], Run] = runner
    ) -> None:
        super().__init__(ready, progress, lab)
        self._found = found
        self._begin = begin

    def _round(self) -> None:
        ran: list[Ran] = []
        run = self._begin(self._ready, self._lab)

        def noted(fence: Fence) -> Ran:
            ran.append(run(fence))
            return ran[-1]

        with _restored(CHECKOUT / f"Pulumi.{self._lab}.yaml"):
            walk.walk(self._found, self._found.steps[0], _Screen(self._progress), noted)
        for name, seconds in times(self._found, ran).items():
            self._add(name, None, seconds)


def times(found: Guide, ran: Sequence[Ran]) -> Mapping[str, float]:
    """Pure: name of a figure -> seconds, of each step's fences together, each section that has steps, and all."""
    took = {one.fence.line: one.seconds for one in ran}
    steps = {step.number: took[step.command.line] + took[step.check.line] for step in found.steps}
    return {
        **{f"step {step.number}: {step.title}": steps[step.number] for step in found.steps},
        **{
            f"{tables.SECTION}{section.title}": sum(steps[step.number] for step in section.steps)
            for section in found.sections
            if section.steps
        },
        tables.ALL: sum(steps.values()),
    }


@dataclass(frozen=True)
class _Screen:
    """Asks nobody; a fence that fails ends the bench."""

    progress: Progress

    def section(self, section: Section, *, pause: bool) -> bool:  # noqa: ARG002 - the interface
        return True

    def step(self, step: Step, total: int) -> Choice:
        self.progress.line(f"  step {step.number} of {total}: {step.title}")
        return "run"

    def passed(self, step: Step, check: Ran) -> None:
        """Its seconds are told at the end of the round."""

    def failed(self, step: Step, ran: Ran) -> Choice:
        what = "check" if ran.fence.language == CHECK else "command"
        problem = f"Step {step.number} of the guide, {step.title!r}: its {what} ended with status {ran.status}."
        raise LabError(f"{problem}\n{ran.output[-2000:]}".rstrip(), hint=step.hint)


@contextmanager
def _restored(stack_file: Path) -> Iterator[None]:
    """A walk that ends early leaves no setting behind that the guide changes."""
    before = stack_file.read_bytes()
    try:
        yield
    finally:
        stack_file.write_bytes(before)
