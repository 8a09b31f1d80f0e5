"""Debian packages: which are needed, and that nothing is installed without a yes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.setup import packages
from labkit.setup.packages import Package
from labkit.system import root
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet


def never(question: str) -> bool:
    """A confirm that must not be asked."""
    pytest.fail(question)


def test_groups_pick_packages() -> None:
    """Each package is in one group, has a reason and a way to see that it is there."""
    assert [package.name for package in packages.needed({packages.TESTS})] == ["chromium", "strace"]
    assert {package.name for package in packages.needed({packages.ENGINE})} == {"docker.io", "iptables", "iproute2"}
    for package in packages.PACKAGES:
        assert package.why
        assert bool(package.program) != bool(package.file)


def test_there_is_seen_by_program_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it came from: not only from Debian's package."""
    program = tmp_path / "some-tool"
    package = Package("some", packages.BASE, "test", program="some-tool")
    monkeypatch.setenv("PATH", str(tmp_path))
    before = package.there
    program.touch(mode=0o755)
    assert [before, package.there] == [False, True]
    assert Package("f", packages.BASE, "test", file=str(program)).there
    assert not Package("f", packages.BASE, "test", file=str(tmp_path / "none")).there


@pytest.fixture
def no_root(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been run as root."""
    commands: list[list[str]] = []

    def record(command: list[str], **_: object) -> Outcome:
        commands.append(command)
        return Outcome(tuple(command), 0, "", 0.0)

    monkeypatch.setattr(root, "run", record)
    monkeypatch.delenv("VVC_YES", raising=False)
    return commands


def test_without_terminal_and_yes_the_command_is_named(
    no_root: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is installed."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(LabError, match="Missing packages: strace") as raised:
        packages.install(Quiet(), ["strace"], yes=False, confirm=never)
    assert "apt-get install --no-install-recommends strace" in raised.value.hint
    assert not no_root


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_the_answer_counts(
    no_root: list[list[str]], monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    """The question names the command."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return answer

    if answer:
        packages.install(Quiet(), ["strace"], yes=False, confirm=confirm)
    else:
        with pytest.raises(LabError, match="Not installed: strace"):
            packages.install(Quiet(), ["strace"], yes=False, confirm=confirm)
    assert "install --no-install-recommends strace" in asked[0]
    assert any("install" in command for command in no_root) == answer


@pytest.mark.parametrize(("yes", "variable"), [(True, ""), (False, "1")])
def test_yes_answers(no_root: list[list[str]], monkeypatch: pytest.MonkeyPatch, *, yes: bool, variable: str) -> None:
    """--yes and VVC_YES=1, nothing else."""
    monkeypatch.setenv("VVC_YES", variable)
    packages.install(Quiet(), ["strace"], yes=yes, confirm=never)
    assert [command[-1] for command in no_root if "install" in command] == ["strace"]


def test_a_network_that_is_gone_is_said_so(no_root: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence instead of apt's forty lines."""

    def fail(command: list[str], **_: object) -> Outcome:
        return Outcome(tuple(command), 100, "Err:1 Temporary failure resolving 'a-mirror'", 1.0)

    monkeypatch.setattr(root, "run", fail)
    with pytest.raises(LabError, match="A name cannot be resolved: Temporary failure resolving 'a-mirror'"):
        packages.install(Quiet(), ["strace"], yes=True, confirm=never)


def test_package_lists_are_fresh_for_a_day(tmp_path: Path) -> None:
    """None at all, as on a bare Debian, means update."""
    assert not packages.lists_are_fresh(tmp_path / "none", 0)
    assert not packages.lists_are_fresh(tmp_path, 0)
    lists = tmp_path / "mirror_main_binary-amd64_Packages.lz4"
    lists.touch()
    os.utime(lists, (1000, 1000))
    assert packages.lists_are_fresh(tmp_path, 1000 + 3600)
    assert not packages.lists_are_fresh(tmp_path, 1000 + 25 * 3600)
