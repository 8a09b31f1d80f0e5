"""./lab new."""

from __future__ import annotations

import keyword
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import click

from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT, STATE

SKELETON = Path(__file__).parent / "skeleton"
"""A lab whose name is TOKEN, each file's name ending with SUFFIX: neither git nor a checker takes it for a lab."""

TOKEN, TITLE, SUFFIX = "NEWLAB", "NEWTITLE", ".in"

RULE = "a name is one word of 2 to 20 small letters and digits, begins with a letter, and is no word of Python's"
_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
_STATE = {"bin", "logs", "pulumi", "test"}
"""What .state has beside a folder for each lab."""


def run(name: str) -> int:
    """Make labs/NAME and Pulumi.NAME.yaml. Raises LabError, before anything is made, for a name that will not do."""
    folder = CHECKOUT / "labs" / name
    taken = {*stack_files.names(), *([name] if folder.exists() or (STATE / name).exists() else [])}
    if why := wrong(name, taken):
        raise LabError(why, hint="choose another name: ./lab new NAME")
    draft = folder.with_name(f".{name}.{os.getpid()}")
    try:
        draft.mkdir()
        for path, text in files(name).items():
            (draft / path).write_text(text, encoding="utf-8")
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    # A lab is one by its stack file: that comes last.
    stack_file = CHECKOUT / f"Pulumi.{name}.yaml"
    write_whole(stack_file, (SKELETON / f"Pulumi.yaml{SUFFIX}").read_text(encoding="utf-8"))
    for path in files(name):
        click.echo(f"labs/{name}/{path}")
    click.echo(
        f"""{stack_file.name}

A lab that works as it is. Next:
  ./lab up {name}
  ./lab run {name}
  ./lab report {name}
  ./lab down {name}
Then make it yours: docs/howto/own-lab.md"""
    )
    return 0


def wrong(name: str, taken: Collection[str]) -> str:
    """Pure: why a new lab cannot have this name; empty if it can."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        return f"No lab can be called {name!r}: {RULE}."
    if name in _STATE:
        return f"No lab can be called {name!r}: this tool's own state has that name."
    if name in taken:
        return f"There is a lab {name!r} already, or something is left of one: labs/{name}, .state/{name}."
    return ""


def files(name: str) -> Mapping[str, str]:
    """What the folder of a new lab holds: path in it -> text."""
    return {
        file.name.removesuffix(SUFFIX): file.read_text(encoding="utf-8")
        .replace(TOKEN, name)
        .replace(TITLE, name.capitalize())
        for file in sorted((SKELETON / "lab").iterdir())
    }
