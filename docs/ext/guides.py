"""What a guide's Markdown needs to become a page: pictures, checks, and links to other pages of ours."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, ClassVar

import mermaidx  # type: ignore[import-untyped]  # it has no stubs
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from docs.ext import ROOT, labs

PAGES = {
    **labs.included(),
    "images/README.md": "/reference/images",
    "images/guest/README.md": "/reference/guest",
    "service/README.md": "/reference/service",
}
"""File of the repository -> the page that includes it."""

_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)#\s]+)")


class Mermaid(Directive):
    """A picture, drawn when the page is built: the page needs no script."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = "\n".join(self.content)
        svg = mermaidx.render(source, theme="neutral").svg()
        described = re.sub(r"\s+", " ", source).replace('"', "'")
        svg = svg.replace("<svg ", f'<svg role="img" aria-label="{described}" ', 1)
        return [nodes.raw("", f'<figure class="diagram">{svg}</figure>', format="html")]


class Check(SphinxDirective):
    """The check of a step."""

    has_content = True
    optional_arguments = 0
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        block = nodes.literal_block(code, code, language="sh")
        return [nodes.container("", nodes.caption("", "Checked by"), block, classes=["check"], literal_block=True)]


def to_pages(file: Path, text: str) -> str:
    """The text with its relative links turned to pages. Raises ValueError for a link to what is no page."""

    def turn(match: re.Match[str]) -> str:
        target = (file.parent / match[1]).resolve()
        page = PAGES.get(os.path.relpath(target, ROOT))
        if page is None:
            raise ValueError(f"{file}: the link to {match[1]} leads to no page; add it to PAGES")
        return f"](project:{page}.md"

    return _LINK.sub(turn, text)


def _on_include(_app: Sphinx, relative: Path, _parent: str, content: list[str]) -> None:
    file = (ROOT / "docs" / relative).resolve()
    if not file.is_relative_to(ROOT / "docs"):
        content[0] = to_pages(file, content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Make both known to Sphinx."""
    app.add_directive("mermaid", Mermaid)
    app.add_directive("check", Check)
    app.connect("include-read", _on_include)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
