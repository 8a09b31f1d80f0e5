"""What reaches into a server: the words, and what is made of a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.reach import Reach
from labkit.sides import reach
from labkit.system.errors import CommandError

ONE = Reach("docker", "unix:///e.sock", "server")


def test_a_command_goes_to_the_engine_that_carries_the_server() -> None:
    """With its input and a terminal only where they are wanted."""
    begin = ["docker", "--host", "unix:///e.sock", "exec"]
    assert ONE.words(["a", "b c"]) == [*begin, "server", "a", "b c"]
    assert ONE.words(["a"], stdin=True) == [*begin, "-i", "server", "a"]
    assert reach.interactive(ONE, [], tty=True) == [*begin, "-it", "server", "bash"]
    assert reach.interactive(ONE, ["a"], tty=False) == [*begin, "-i", "server", "a"]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that notes its words and fails where the last one is `fail`; the file of its notes."""
    program, notes = tmp_path / "docker", tmp_path / "notes"
    script = f'#!/bin/sh\nfor word; do printf \'"%s" \' "$word"; done > {notes}\necho told\n[ "$word" != fail ]\n'
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return notes


def noted(notes: Path) -> list[str]:
    """The words that it was given last, without those that name the engine."""
    words: list[str] = json.loads(f"[{', '.join(notes.read_text(encoding='utf-8').split())}]")
    assert words[:2] == ["--host", "unix:///e.sock"]
    return words[2:]


def test_files_are_copied_both_ways(docker: Path) -> None:
    """The server's end is named by its container."""
    reach.copy_in(ONE, Path("/here"), "/there")
    assert noted(docker) == ["cp", "/here", "server:/there"]
    reach.copy_out(ONE, "/there", Path("/here"))
    assert noted(docker) == ["cp", "server:/there", "/here"]


def test_what_runs_there_says_what_it_says_and_a_failure_has_the_next_step(docker: Path) -> None:
    """The one that whoever asked gave."""
    assert reach.runner(ONE)(["true"]).output == "told\n"
    assert noted(docker) == ["exec", "server", "true"]
    with pytest.raises(CommandError) as failed:
        reach.runner(ONE, hint="./lab doctor")(["fail"])
    assert failed.value.hint == "./lab doctor"
