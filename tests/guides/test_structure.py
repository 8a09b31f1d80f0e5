"""Every lab has a guide without mistakes, whose commands exist, and a page for the instructor."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess

import click
import pytest

from labkit import cli
from labkit.commands import guide as command
from labkit.guide import figures as guide_figures
from labkit.guide import model, walk
from labkit.guide.text import Fence
from labkit.guide.walk import Ran
from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.runs import run_folder
from tests.guides.guides import LABS, ROOT, fences, file
from tests.unit import judging
from tests.unit.test_guide_walk import Reader

INSTRUCTOR_SECTIONS = ("Time", "Frequent faults", "Expected numbers", "Questions and answers")
_OURS = re.compile(r"\./lab [^|;&)\n]*")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


def parsed(lab: str) -> model.Guide:
    return model.parse(file(lab).read_text(encoding="utf-8"), lab=lab, file=str(file(lab)))


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_has_a_guide_without_mistakes(lab: str) -> None:
    """All sections, whole steps; and the parser sees every fence that stands in the file."""
    found = parsed(lab)
    assert [(fence.language, fence.text) for fence in found.fences] == fences(lab)
    assert len(found.steps) >= 8


@pytest.mark.parametrize("lab", LABS)
def test_a_dry_run_reaches_every_fence(lab: str) -> None:
    """Walked without a shell: executed fences == fences."""
    ran: list[tuple[str, str]] = []

    def run(fence: Fence) -> Ran:
        ran.append((fence.language, fence.text))
        return Ran(fence, 0, 0.0)

    found = parsed(lab)
    assert walk.walk(found, found.steps[0], Reader(), run).complete
    assert ran == fences(lab)


@pytest.mark.parametrize("lab", LABS)
def test_every_fence_is_sh(lab: str) -> None:
    """As the shell that runs it reads it."""
    for language, text in fences(lab):
        done = subprocess.run(
            ["sh", "-n"], input=text, capture_output=True, text=True, timeout=20, check=False, encoding="utf-8"
        )
        assert done.returncode == 0, f"{language}: {text}\n{done.stderr}"


@pytest.mark.parametrize("lab", LABS)
def test_every_command_of_ours_exists(lab: str) -> None:
    """With the options that the fences give it, and for this lab."""
    wrong = []
    for _, text in fences(lab):
        for used in _OURS.findall(text):
            words = [word for word in shlex.split(used.replace('"', "").replace("'", "")) if "/dev/null" not in word]
            known = cli.lab.commands.get(words[1])
            if known is None:
                wrong.append(f"{used}: no such command")
                continue
            try:
                known.make_context(words[1], words[2:])
            except click.ClickException as error:
                wrong.append(f"{used}: {error.format_message()}")
    assert not wrong


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("name", ["README.md", "INSTRUCTOR.md"])
def test_links_lead_somewhere(lab: str, name: str) -> None:
    """Within the repository."""
    page = ROOT / "labs" / lab / name
    missing = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("name", command.PAGES)
def test_shown_numbers_are_those_of_the_stored_run(lab: str, name: str) -> None:
    """Nobody typed a number in by hand: the blocks come from the run that is stored beside the guide, if one is."""
    page = ROOT / "labs" / lab / name
    text = page.read_text(encoding="utf-8")
    assert "<!-- run:" in text
    if (page.parent / run_folder.STORED).exists():
        run = run_folder.load(page.parent / run_folder.STORED)
        assert command.fill(lab, text, run, str(page)) == text
    else:
        assert guide_figures.emptied(text) == text


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_has_a_page_for_the_instructor(lab: str) -> None:
    """Time, faults, numbers, questions with answers."""
    text = (ROOT / "labs" / lab / "INSTRUCTOR.md").read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(INSTRUCTOR_SECTIONS)


@pytest.mark.parametrize("lab", LABS)
def test_a_labs_own_figures_stand_beside_those_of_all_labs(lab: str) -> None:
    """No block that every lab has is hidden; a run of which a figure knows nothing gives a table without lines."""
    found = labs.load(lab)
    assert not set(found.figures) & set(guide_figures.BLOCKS)
    empty = dataclasses.replace(judging.run(), experiments=())
    for name, figure in found.figures.items():
        assert re.fullmatch(r"[a-z-]+", name)
        made = figure(empty, judge(empty, found.claims))
        assert made.title
        assert not list(made.lines)
