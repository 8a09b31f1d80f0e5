"""The walk: a step passes only if its command and its check do; a failure shows the hint and leaves the choice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from labkit.guide import model, walk
from labkit.guide.model import Section, Step
from labkit.guide.text import Fence
from labkit.guide.walk import Choice, Ran
from tests.unit import guide_text

GUIDE = model.parse(guide_text.guide(), lab="demo")


@dataclass
class Reader:
    """A reader who gives prepared answers; notes what is shown."""

    at_step: dict[int, Choice] = field(default_factory=dict)
    at_failure: list[Choice] = field(default_factory=list)
    leaves_at: str = ""
    shown: list[str] = field(default_factory=list)

    def section(self, section: Section, *, pause: bool) -> bool:
        self.shown.append(section.title)
        return section.title != self.leaves_at

    def step(self, step: Step, total: int) -> Choice:
        self.shown.append(f"{step.number}/{total}")
        return self.at_step.get(step.number, "run")

    def passed(self, step: Step, check: Ran) -> None:
        self.shown.append(f"passed {step.number}")

    def failed(self, step: Step, ran: Ran) -> Choice:
        self.shown.append(f"{ran.fence.language} failed: {step.hint}")
        return self.at_failure.pop(0)


class Shell:
    """Runs nothing: fences end with prepared statuses, in turn; notes their lines."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = {int(line.removeprefix("line_")): status for line, status in statuses.items()}
        self.ran: list[int] = []

    def __call__(self, fence: Fence) -> Ran:
        self.ran.append(fence.line)
        return Ran(fence, self.statuses.pop(fence.line, 0), 0.1)


def test_every_fence_is_run_once_in_order() -> None:
    """A dry run: executed fences == fences."""
    reader, shell = Reader(), Shell()
    result = walk.walk(GUIDE, GUIDE.steps[0], reader, shell)
    assert result.complete
    assert shell.ran == [fence.line for fence in GUIDE.fences]
    assert reader.shown[:6] == ["Question", "Predict", "Picture", "Check your machine", "1/8", "passed 1"]


def test_from_a_step_on_what_lies_before_is_left_out() -> None:
    """Prose before the step, too; the section's own prose stays."""
    reader, shell = Reader(), Shell()
    result = walk.walk(GUIDE, GUIDE.steps[4], reader, shell)
    assert result.complete
    assert reader.shown[:2] == ["Experiment", "5/8"]
    assert shell.ran == [fence.line for fence in GUIDE.fences[8:]]


def test_a_command_that_fails_is_not_checked() -> None:
    """The hint is shown; retry runs the step from its beginning."""
    step = GUIDE.steps[1]
    reader = Reader(at_failure=["run"])
    shell = Shell(**{f"line_{step.command.line}": 3})
    result = walk.walk(GUIDE, step, reader, shell)
    assert result.complete
    assert "sh failed: look again" in reader.shown
    assert shell.ran[:3] == [step.command.line, step.command.line, step.check.line]


@pytest.mark.parametrize(("choice", "stopped", "skipped"), [("quit", 2, []), ("skip", None, [2])])
def test_a_check_that_fails_is_no_success(choice: Choice, stopped: int | None, skipped: list[int]) -> None:
    """Quit ends there; skip goes on; neither is complete."""
    step = GUIDE.steps[1]
    reader = Reader(at_failure=[choice])
    result = walk.walk(GUIDE, step, reader, Shell(**{f"line_{step.check.line}": 1}))
    assert not result.complete
    assert "check failed: look again" in reader.shown
    assert (result.stopped.number if result.stopped else None) == stopped
    assert [one.number for one in result.skipped] == skipped


def test_quitting_names_the_step_to_go_on_with() -> None:
    """At a step, and while reading."""
    at_step = walk.walk(GUIDE, GUIDE.steps[0], Reader(at_step={3: "quit"}), Shell())
    assert at_step.stopped is GUIDE.steps[2]
    reading = walk.walk(GUIDE, GUIDE.steps[0], Reader(leaves_at="Predict"), Shell())
    assert reading.stopped is GUIDE.steps[0]
    assert not reading.complete
