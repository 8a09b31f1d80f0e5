"""What an experiment has set going inside a replica: noted before, found after a KILL, forgotten when it is gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from labkit.lifecycle import noted
from labkit.lifecycle.noted import Noted
from labkit.lifecycle.running import RunningLab
from labkit.system.errors import CommandError, LabError

THERE = Noted("vm-2", "a neighbour", ("true",), ("ssh", "vm-2", "end it"))


def _lab(folder: Path) -> RunningLab:
    machine = SimpleNamespace(lab_dir=lambda _lab: folder)
    return cast(RunningLab, SimpleNamespace(lab="toy", ready=SimpleNamespace(machine=machine)))


def test_what_is_there_still_is_named_with_what_ends_it(tmp_path: Path) -> None:
    """And what has ended by itself is not."""
    noted.note(_lab(tmp_path), THERE)
    noted.note(_lab(tmp_path), Noted("container-2", "a neighbour", ("false",), ("docker", "end it")))
    assert [one.replica for one in noted.noted(tmp_path)] == ["container-2", "vm-2"]
    assert noted.left(tmp_path) == [THERE]
    noted.forget(_lab(tmp_path), "vm-2")
    noted.forget(_lab(tmp_path), "vm-2")
    assert noted.left(tmp_path) == []


def test_the_next_up_ends_what_is_there_still(tmp_path: Path) -> None:
    """By the words of its note, which is gone then; what does not end is an error, and stays noted."""
    file = tmp_path / "there"
    file.touch()
    noted.note(_lab(tmp_path), Noted("vm-2", "a file", ("test", "-e", str(file)), ("rm", str(file))))
    assert [one.what for one in noted.end(tmp_path)] == ["a file"]
    assert (file.exists(), noted.noted(tmp_path)) == (False, [])
    noted.note(_lab(tmp_path), Noted("vm-2", "a file", ("true",), ("false",)))
    with pytest.raises(CommandError):
        noted.end(tmp_path)
    assert len(noted.noted(tmp_path)) == 1


@pytest.mark.parametrize("text", ["{", "{}", '{"replica": "vm-2", "what": "x", "look": 3, "end": []}'])
def test_a_note_that_was_edited_is_an_error_that_names_it(text: str, tmp_path: Path) -> None:
    """Never a command that nobody has written."""
    (tmp_path / "inside-vm-2.json").write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=r"inside-vm-2\.json was edited"):
        noted.noted(tmp_path)
