"""A guide's text becomes sections and steps; all mistakes are told at once, each with its line."""

from __future__ import annotations

import pytest

from labkit.guide import model
from labkit.guide.rules import SECTIONS, WITH_STEPS
from labkit.system.errors import LabError
from tests.unit import guide_text


def problems(text: str) -> dict[int, list[str]]:
    """Line -> what is wrong there."""
    with pytest.raises(model.GuideError) as caught:
        model.parse(text, lab="demo", file="labs/demo/README.md")
    found: dict[int, list[str]] = {}
    for line, message in caught.value.problems:
        found.setdefault(line, []).append(message)
    return found


def at(text: str, part: str) -> int:
    """Line of the first occurrence of a part."""
    return text[: text.index(part)].count("\n") + 1


def test_a_guide_is_sections_and_numbered_steps() -> None:
    """Steps count through all sections; fences keep their text and their lines."""
    text = guide_text.guide()
    found = model.parse(text, lab="demo")
    assert (found.title, found.prose) == ("A demo", "What it is about.")
    assert [section.title for section in found.sections] == list(SECTIONS)
    assert [step.section for step in found.steps] == list(WITH_STEPS)
    assert [step.number for step in found.steps] == list(range(1, len(WITH_STEPS) + 1))
    second = found.steps[1]
    assert (second.title, second.slug, second.prose, second.hint) == (
        "Do bring up",
        "do-bring-up",
        "Prose.",
        "look again",
    )
    assert second.command.text == "pulumi up -s demo --yes\n"
    assert text.splitlines()[second.command.line - 1] == "```sh"
    assert "flowchart" in found.sections[2].prose
    assert len(found.fences) == 2 * len(found.steps)


@pytest.mark.parametrize(("wanted", "number"), [("2", 2), ("do-bring-up", 2), ("Do bring up", 2), ("Look inside", 3)])
def test_a_step_is_found_by_number_title_or_section(wanted: str, number: int) -> None:
    """As one types it behind --from."""
    assert model.parse(guide_text.guide(), lab="demo").find(wanted).number == number


def test_an_unknown_step_is_refused() -> None:
    """Naming how many there are."""
    with pytest.raises(LabError, match=r"There is no step '99'; there are 1 to 8\."):
        model.parse(guide_text.guide(), lab="demo").find("99")


STEP = guide_text.step("S")
MISTAKES = [
    (STEP.replace("```check\ntrue\n```\n", ""), "### S", "the step 'S' has no `check` fence; it needs one"),
    (STEP.replace("```sh\ntrue\n```\n", ""), "### S", "the step 'S' has no `sh` fence; it needs one"),
    (STEP.replace("> Hint: look again", ""), "### S", "the step 'S' has no `> Hint:` line; it needs one"),
    (STEP + "\n```sh\ntrue\n```\n", "### S", "the step 'S' has 2 `sh` fence; it needs one"),
    (STEP.replace("Prose.\n", ""), "### S", "the step 'S' has no prose before its `sh` fence"),
    (STEP + "\nMore.\n", "### S",
     "the step 'S' has prose behind a fence; it stands before the `sh` fence, and the hint comes last"),
    (STEP.replace("Prose.\n", "").replace("> Hint", "Prose.\n\n> Hint"), "### S",
     "the step 'S' is in the order sh, check, prose, hint; it should be prose, sh, check, hint"),
    (STEP.replace("Prose.\n", "Prose.\n\n```text\nx\n```\n"), "```text", "a fence 'text' has no place in a step"),
    (STEP.replace("look again", ""), "> Hint", "this hint is empty"),
    (STEP.replace("```sh\ntrue", "```sh\n"), "```sh", "this fence is empty"),
    ("```sh\ntrue\n```\n\n" + STEP, "```sh", "a `sh` fence stands in a step (###)"),
    ("```text\nx\n```\n\n" + STEP, "```text",
     "a fence 'text' has no place here: what is shown comes from a stored run"),
    ("    indented\n\n" + STEP, "    indented", "a fence '' has no place here: what is shown comes from a stored run"),
    ("> Hint: lost\n\n" + STEP, "> Hint: lost", "a hint belongs to a step (###)"),
    (STEP + "\n" + STEP, "", "'S': there is another step of this title"),
    (STEP + "\n#### Deep\n", "#### Deep", "'Deep': headings go down to ###, a step"),
    (STEP + "\n# Again\n", "# Again", "'Again': there is one title (#); sections have ##, steps ###"),
    ("<!-- run:size -->\n\n" + STEP, "<!-- run:size", "the block run:size has no end <!-- /run:size -->"),
    ("<!-- /run:size -->\n\n" + STEP, "<!-- /run:size", "the block run:size ends here but does not begin"),
    ("Nothing to do.\n", "## Experiment", "the section 'Experiment' has no step (###)"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "where", "message"), MISTAKES, ids=[message for _, _, message in MISTAKES])
def test_a_mistake_is_told_with_its_line(body: str, where: str, message: str) -> None:
    """One at a time, in the section Experiment."""
    text = guide_text.guide(experiment=body)
    begin = text.index("## Experiment")
    found = problems(text)
    line = at(text, text[begin:][text[begin:].index(where) :]) if where else max(found)
    assert message in found[line]


SECTION_MISTAKES = [
    ("bring_up", guide_text.step("S"), "the section 'Bring up' runs: pulumi up -s demo"),
    ("look_inside", guide_text.step("S"), "the section 'Look inside' looks at 2 of vm-1, container-1"),
    ("clean_up", guide_text.step("S"), "the section 'Clean up' proves itself: a check with ./lab leftovers"),
    ("picture", "None.\n", "the section 'Picture' has one `mermaid` fence"),
    ("sources", "", "the section 'Sources' is empty"),
]


@pytest.mark.parametrize(("section", "body", "message"), SECTION_MISTAKES)
def test_what_a_section_must_show(section: str, body: str, message: str) -> None:
    """Told at the section's heading."""
    text = guide_text.guide(**{section: body})
    heading = f"## {section.replace('_', ' ').capitalize()}"
    assert message in problems(text)[at(text, heading)]


def test_all_mistakes_come_at_once() -> None:
    """Sections that are missing, unknown, out of order; an open fence; in the order of their lines."""
    text = guide_text.guide().replace("## Explain", "## Explanation").replace("# A demo", "## A demo", 1)
    text = text.replace("## Predict\n", "## Sources\n", 1) + "\n```sh\ntrue\n"
    found = problems(text)
    told = [message for messages in found.values() for message in messages]
    for expected in (
        "a guide begins with its title: # TITLE",
        "the section 'Explain' is missing",
        "the section 'Predict' is missing",
        "the section 'Picture' stands behind 'Sources'",
        "this fence is never closed",
    ):
        assert expected in told
    assert any(message.startswith("'Explanation' is no section") for message in told)
    assert list(found) == sorted(found)


def test_the_message_names_file_and_line() -> None:
    """As an editor can jump to."""
    with pytest.raises(model.GuideError) as caught:
        model.parse("Nothing.\n", lab="demo", file="labs/demo/README.md")
    assert "labs/demo/README.md:1: a guide begins with its title: # TITLE" in caught.value.problem
    assert caught.value.hint == "correct labs/demo/README.md"
