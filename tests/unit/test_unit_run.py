"""`./lab test --unit`: what it runs and where, what counts as a failure, what of the person's reaches it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.environment import Gets
from labkit.commands import test as command
from labkit.lifecycle import suite_processes
from labkit.system.paths import CHECKOUT

ONLY = ["-m", "not (engine or long or slow)"]


@dataclass
class Programs:
    """Stands in for what is started; `status` by the name of the module that is run, 0 otherwise."""

    status: dict[str, int] = field(default_factory=dict)
    interrupted: str = ""
    started: list[tuple[str, list[str]]] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)
    gets: list[dict[str, str]] = field(default_factory=list)

    def follow(self, words: Sequence[str], cwd: Path, gets: Gets, env: Mapping[str, str]) -> int:
        assert list(words[:2]) == [sys.executable, "-m"]
        module = words[2]
        self.started.append((module, list(words[3:])))
        self.folders.add(cwd)
        self.gets.append({**gets(os.environ), **env})
        if module == self.interrupted:
            raise KeyboardInterrupt
        return self.status.get(module, 0)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    found = Programs()
    monkeypatch.setattr(suite_processes, "follow", found.follow)
    return found


def test_it_checks_and_tests_in_the_checkout_what_needs_no_engine(programs: Programs) -> None:
    """Both of ruff's checks, mypy, then the tests of what decides and of what would be declared."""
    assert command.run_unit(()) == 0
    *checks, (last, words) = programs.started
    assert checks == [("ruff", ["check", "."]), ("ruff", ["format", "--check", "."]), ("mypy", [])]
    assert (last, words[:2], words[2:4]) == ("pytest", ONLY, ["tests/unit", "tests/program"])
    assert programs.folders == {CHECKOUT}


def test_tests_that_are_named_are_run_instead(programs: Programs) -> None:
    """By the same rule: a slow one of them is left out."""
    assert command.run_unit(["tests/unit/test_plan.py", "-x"]) == 0
    assert programs.started[-1] == ("pytest", [*ONLY, "tests/unit/test_plan.py", "-x"])


@pytest.mark.parametrize(("status", "told"), [({"ruff": 1}, 1), ({"mypy": 2}, 1), ({"pytest": 5}, 5)])
def test_whatever_finds_something_makes_it_a_failure(programs: Programs, status: dict[str, int], told: int) -> None:
    """The tests' own status where they fail; all others run in any case."""
    programs.status = status
    assert command.run_unit(()) == told
    assert [module for module, _ in programs.started] == ["ruff", "ruff", "mypy", "pytest"]


def test_an_interruption_ends_it(programs: Programs) -> None:
    """Nothing more is started, and the status says so."""
    programs.interrupted = "mypy"
    assert command.run_unit(()) == 130
    assert programs.started[-1] == ("mypy", [])


def test_nothing_that_leads_to_a_persons_lab_reaches_it(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Pulumi's variables nor those of a git hook; the account's home does."""
    given = ("PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_ACCESS_TOKEN", "GIT_DIR", "GIT_INDEX_FILE")
    for name in given:
        monkeypatch.setenv(name, "/home/me/x")
    monkeypatch.setenv("HOME", "/home/me")
    command.run_unit(())
    assert len(programs.gets) == 4
    assert all(not set(given) & set(env) and env["HOME"] == "/home/me" for env in programs.gets)


def test_a_skip_is_a_failure(programs: Programs, tmp_path: Path) -> None:
    """By the rules that the tests have, in the environment that they are given."""
    command.run_unit(())
    file = tmp_path / "test_it.py"
    file.write_text("import pytest\n\n\ndef test_it():\n    pytest.skip('not here')\n", encoding="utf-8")
    alone = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(CHECKOUT / "pyproject.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *alone, "--rootdir", str(tmp_path), str(file)],
        cwd=CHECKOUT,
        env=programs.gets[-1],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        encoding="utf-8",
    )
    assert "1 skipped" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
