"""A lab's guide, labs/<lab>/README.md, as data: sections, and steps that can be run and checked. Pure.

A step is a level-3 heading with prose, one `sh` fence, one `check` fence that ends with status 0 when the step did
what it says, and one `> Hint:` line for when it did not; nothing more. All that is wrong is reported at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.guide import rules
from labkit.guide import text as guide_text
from labkit.guide.rules import Problem, slug
from labkit.guide.text import Draft, Fence
from labkit.system.errors import LabError


@dataclass(frozen=True)
class Step:
    """One thing to do. `number` counts through the guide from 1; `line` is the heading's."""

    number: int
    section: str
    title: str
    prose: str
    command: Fence
    check: Fence
    hint: str
    line: int

    @property
    def slug(self) -> str:
        """The title as one word, for --from."""
        return slug(self.title)


@dataclass(frozen=True)
class Section:
    """A level-2 heading, the prose below it, and its steps."""

    title: str
    prose: str
    steps: tuple[Step, ...]
    line: int


@dataclass(frozen=True)
class Guide:
    """A guide without mistakes."""

    title: str
    prose: str
    sections: tuple[Section, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for section in self.sections for step in section.steps)

    @property
    def fences(self) -> tuple[Fence, ...]:
        """All that is executed, in order."""
        return tuple(fence for step in self.steps for fence in (step.command, step.check))

    def find(self, wanted: str) -> Step:
        """The step of this number or title, or the first of the section of this name. Raises LabError."""
        named = [step for step in self.steps if slug(wanted) in (str(step.number), step.slug)]
        below = [step for step in self.steps if slug(wanted) == slug(step.section)]
        for step in (*named, *below):
            return step
        raise LabError(
            f"There is no step {wanted!r}; there are 1 to {len(self.steps)}.", hint="name one that --list shows"
        )


class GuideError(LabError):
    """A guide with mistakes, each with its line."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {file}:{line}: {text}" for line, text in self.problems)
        count = f"{len(problems)} mistakes" if len(problems) > 1 else "a mistake"
        super().__init__(f"The guide has {count}:\n{lines}", hint=f"correct {file}")


def parse(text: str, *, lab: str, file: str = "README.md") -> Guide:
    """The guide of a lab. Raises GuideError with all mistakes at once."""
    drafts = guide_text.drafts(text)
    problems = rules.problems(text, drafts, lab)
    if problems:
        raise GuideError(file, problems)
    numbers = itertools.count(1)
    sections = [
        Section(
            title=section.title,
            prose=_prose(section),
            steps=tuple(_step(next(numbers), section.title, draft) for draft in steps),
            line=section.line,
        )
        for section, steps in rules.sections(drafts)
    ]
    return Guide(drafts[0].title, _prose(drafts[0]), tuple(sections))


def _step(number: int, section: str, draft: Draft) -> Step:
    command, check = draft.fences
    return Step(number, section, draft.title, _prose(draft), command, check, draft.hints[0][1], draft.line)


def _prose(draft: Draft) -> str:
    return "\n\n".join(draft.prose)
