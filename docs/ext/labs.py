"""The pages of the labs: each lab's guide is a tutorial, and its page for instructors says how to teach it.

The files are made when the pages are built; git ignores them.
"""

from __future__ import annotations

from pathlib import Path

from docs.ext import ROOT
from labkit.system import stack_files
from labkit.system.files import write_whole

PAGES = {"tutorial": "README.md", "teach": "INSTRUCTOR.md"}
"""Folder of docs/ -> the file of each lab that is included there, as LAB.md."""


def write() -> None:
    """Bring docs/tutorial and docs/teach to what labs there are."""
    for folder, source in PAGES.items():
        home = ROOT / "docs" / folder
        home.mkdir(exist_ok=True)
        wanted = {home / f"{lab}.md": f"```{{include}} ../../labs/{lab}/{source}\n```\n" for lab in stack_files.names()}
        for file in set(home.glob("*.md")) - set(wanted):
            file.unlink()
        for file, text in wanted.items():
            # What is as it was is not built again.
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                write_whole(file, text)


def included() -> dict[str, str]:
    """File of the repository -> the page that includes it."""
    return {
        str(Path("labs", lab, source)): f"/{folder}/{lab}"
        for lab in stack_files.names()
        for folder, source in PAGES.items()
    }
