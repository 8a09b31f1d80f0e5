"""The rules of a guide: what is wrong with it, each with its line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from infra.sides import KINDS
from labkit.guide.text import CHECK, HINT, PICTURE, PROSE, RUN, SECTION, STEP, TITLE, Draft, Fence

SECTIONS: Final = (
    *("Question", "Predict", "Picture", "Check your machine", "Bring up", "Look inside", "Steady state"),
    *("Experiment", "Result", "Explain", "Change one thing", "Clean up", "Troubleshooting", "Sources"),
)
"""Headings that every guide has, in this order."""

WITH_STEPS: Final = (
    *("Check your machine", "Bring up", "Look inside", "Steady state", "Experiment", "Result", "Change one thing"),
    "Clean up",
)
"""Sections in which something is done."""

_COMPARED: Final = 2
"""Sides that a guide looks into, at least."""

_STEP_ORDER: Final = [PROSE, RUN, CHECK, HINT]
_GENERATED: Final = re.compile(r"<!-- (/?)run:([a-z-]+) -->")

Problem = tuple[int, str]
"""Line and text."""


def slug(title: str) -> str:
    """A heading as one word of small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def sections(drafts: Sequence[Draft]) -> list[tuple[Draft, list[Draft]]]:
    """Each section with its steps."""
    found: list[tuple[Draft, list[Draft]]] = []
    for draft in drafts:
        if draft.level == SECTION:
            found.append((draft, []))
        elif draft.level == STEP and found:
            found[-1][1].append(draft)
    return found


def problems(text: str, drafts: Sequence[Draft], lab: str) -> list[Problem]:
    """All mistakes of a guide, in the order of their lines."""
    found = [*_fences(drafts), *_generated(text), *_headings(drafts, last=len(text.splitlines()))]
    for draft in drafts:
        found += _step(draft) if draft.level == STEP else _prose_only(draft)
    for section, steps in sections(drafts):
        found += _section(section, steps, lab)
    return sorted(set(found))


def _fences(drafts: Sequence[Draft]) -> Iterator[Problem]:
    for fence in (fence for draft in drafts for fence in draft.fences):
        if not fence.closed:
            yield fence.line, "this fence is never closed"
        elif not fence.text.strip():
            yield fence.line, "this fence is empty"


def _generated(text: str) -> Iterator[Problem]:
    opened: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        for match in _GENERATED.finditer(line):
            closing, name = bool(match[1]), match[2]
            if not closing and opened:
                yield number, f"the block run:{name} begins inside run:{opened[1]}"
            elif closing and (opened is None or opened[1] != name):
                yield number, f"the block run:{name} ends here but does not begin"
            opened = None if closing else (number, name)
    if opened:
        yield opened[0], f"the block run:{opened[1]} has no end <!-- /run:{opened[1]} -->"


def _headings(drafts: Sequence[Draft], last: int) -> Iterator[Problem]:
    if drafts[0].level != TITLE:
        yield 1, "a guide begins with its title: # TITLE"
    for again in drafts[1:]:
        if again.level == TITLE:
            yield again.line, f"{again.title!r}: there is one title (#); sections have ##, steps ###"
        elif again.level > STEP:
            yield again.line, f"{again.title!r}: headings go down to ###, a step"
    found = [draft for draft in drafts if draft.level == SECTION]
    titles = [section.title for section in found]
    for name in SECTIONS:
        if name not in titles:
            yield last, f"the section {name!r} is missing"
    for section in found:
        if section.title not in SECTIONS:
            yield section.line, f"{section.title!r} is no section; there are: {', '.join(SECTIONS)}"
    for before, after in pairwise([section for section in found if section.title in SECTIONS]):
        if SECTIONS.index(after.title) <= SECTIONS.index(before.title):
            yield after.line, f"the section {after.title!r} stands behind {before.title!r}"
    yield from _step_headings([draft for draft in drafts if draft.level == STEP], found[:1])


def _step_headings(steps: Sequence[Draft], first_section: Sequence[Draft]) -> Iterator[Problem]:
    seen: set[str] = set()
    for step in steps:
        if slug(step.title) in seen:
            yield step.line, f"{step.title!r}: there is another step of this title"
        seen.add(slug(step.title))
        if not first_section or step.line < first_section[0].line:
            yield step.line, f"{step.title!r}: a step stands in a section (##)"


def _step(step: Draft) -> Iterator[Problem]:
    name = f"the step {step.title!r}"
    for kind, what in ((RUN, "`sh` fence"), (CHECK, "`check` fence"), (HINT, "`> Hint:` line")):
        count = step.order.count(kind)
        if count != 1:
            yield step.line, f"{name} has {count or 'no'} {what}; it needs one"
    for fence in step.fences:
        if fence.language not in (RUN, CHECK):
            yield fence.line, f"a fence {fence.language!r} has no place in a step"
    for line, hint in step.hints:
        if not hint:
            yield line, "this hint is empty"
    if PROSE not in step.order:
        yield step.line, f"{name} has no prose before its `sh` fence"
    elif sorted(step.order) == sorted(_STEP_ORDER) and step.order != _STEP_ORDER:
        yield step.line, f"{name} is in the order {', '.join(step.order)}; it should be {', '.join(_STEP_ORDER)}"
    elif step.order.count(PROSE) > 1:
        yield step.line, f"{name} has prose behind a fence; it stands before the `sh` fence, and the hint comes last"


def _prose_only(draft: Draft) -> Iterator[Problem]:
    for fence in draft.fences:
        if fence.language in (RUN, CHECK):
            yield fence.line, f"a `{fence.language}` fence stands in a step (###)"
        elif fence.language != PICTURE or draft.title != "Picture":
            yield fence.line, f"a fence {fence.language!r} has no place here: what is shown comes from a stored run"
    for line, _ in draft.hints:
        yield line, "a hint belongs to a step (###)"


def _section(section: Draft, steps: Sequence[Draft], lab: str) -> Iterator[Problem]:
    name, line = section.title, section.line
    if not section.prose and not steps:
        yield line, f"the section {name!r} is empty"
    if name in WITH_STEPS and not steps:
        yield line, f"the section {name!r} has no step (###)"
    if name == "Picture" and len(section.of(PICTURE)) != 1:
        yield line, "the section 'Picture' has one `mermaid` fence"
    run, check = (_text([fence for step in steps for fence in step.of(kind)]) for kind in (RUN, CHECK))
    if name == "Bring up" and f"pulumi up -s {lab}" not in run:
        yield line, f"the section 'Bring up' runs: pulumi up -s {lab}"
    if name == "Look inside" and sum(f"{side}-1" in run for side in KINDS) < _COMPARED:
        yield line, f"the section 'Look inside' looks at {_COMPARED} of {', '.join(f'{side}-1' for side in KINDS)}"
    if name == "Clean up" and "./lab leftovers" not in check:
        yield line, "the section 'Clean up' proves itself: a check with ./lab leftovers"


def _text(fences: Sequence[Fence]) -> str:
    return "\n".join(fence.text for fence in fences)
