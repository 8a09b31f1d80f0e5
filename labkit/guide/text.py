"""Reads a guide's Markdown: what stands below each heading, in its order, with its lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

TITLE, SECTION, STEP = 1, 2, 3
"""Levels of headings."""

RUN, CHECK, PICTURE = "sh", "check", "mermaid"
"""Languages of fences."""

PROSE, HINT = "prose", "hint"
_HINT_WORD: Final = "Hint:"


@dataclass(frozen=True)
class Fence:
    """A code block: its language, its text, and the line of its opening mark (from 1)."""

    language: str
    text: str
    line: int
    closed: bool = True


@dataclass
class Draft:
    """What stands below one heading, before anybody has judged it. `level` 0: what comes before any heading."""

    level: int
    title: str
    line: int
    prose: list[str] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    hints: list[tuple[int, str]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """PROSE, a fence's language, or HINT, as they come; neighbouring pieces of prose count once."""

    def of(self, language: str) -> list[Fence]:
        """The fences of one language."""
        return [fence for fence in self.fences if fence.language == language]


def drafts(text: str) -> list[Draft]:
    """One draft a heading, in order."""
    return list(_drafts(text))


def _drafts(text: str) -> Iterator[Draft]:
    lines = text.splitlines()
    draft = Draft(0, "", 1)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.level != 0 or token.map is None or token.nesting < 0:
            continue
        begin, end = token.map
        if token.type == "heading_open":
            if draft.level or draft.order:
                yield draft
            draft = Draft(int(token.tag[1:]), lines[begin].strip("# "), begin + 1)
        else:
            _take(draft, token, lines[begin:end], begin + 1)
    yield draft


def _take(draft: Draft, token: Token, source: list[str], line: int) -> None:
    text = "\n".join(source).strip("\n")
    if token.type in ("fence", "code_block"):
        closed = token.type != "fence" or (len(source) > 1 and source[-1].strip().startswith(token.markup))
        fence = Fence(token.info.strip(), token.content, line, closed)
        draft.fences.append(fence)
        draft.order.append(fence.language)
        if fence.language == PICTURE:
            draft.prose.append(text)
    elif token.type == "blockquote_open" and text.lstrip("> ").startswith(_HINT_WORD):
        words = " ".join(one.strip().removeprefix(">").strip() for one in source)
        draft.hints.append((line, words.removeprefix(_HINT_WORD).strip()))
        draft.order.append(HINT)
    else:
        draft.prose.append(text)
        if draft.order[-1:] != [PROSE]:
            draft.order.append(PROSE)
