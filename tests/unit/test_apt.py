"""What is broken on a machine beside what we need does not stop set-up, and is told by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.setup import _apt, _downloads, packages
from labkit.system import root, shell
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet


class Told(Quiet):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


Fails = Callable[[list[str]], str]


@pytest.fixture
def apt_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fails], list[list[str]]]:
    """Have apt-get fail with what a function of its words says; "" succeeds. Gives the commands."""

    def have(fails: Fails) -> list[list[str]]:
        commands: list[list[str]] = []

        def answer(words: list[str], **_: object) -> Outcome:
            commands.append(words)
            said = fails(words)
            return Outcome(tuple(words), 100 if said else 0, said, 1.0)

        monkeypatch.setattr(root, "run", answer)
        monkeypatch.setattr(packages, "lists_are_fresh", lambda *_: False)
        return commands

    return have


def install(progress: Quiet) -> None:
    packages.install(progress, ["strace"], yes=True, confirm=lambda _: True)


FOREIGN = [
    "E: The repository 'https://deb.nodesource.com/node_18.x nodistro Release' does not have a Release file.",
    "W: GPG error: https://deb.nodesource.com/node_18.x nodistro InRelease: NO_PUBKEY 2F59B5F99B1BE0B4\n"
    "E: The repository 'https://deb.nodesource.com/node_18.x nodistro InRelease' is not signed.",
    "E: Failed to fetch https://deb.nodesource.com/node_18.x/dists/nodistro/InRelease  403  Forbidden",
]


@pytest.mark.parametrize("said", FOREIGN)
def test_a_foreign_source_that_is_broken_stops_nothing(apt_says: Callable[[Fails], list[list[str]]], said: str) -> None:
    commands = apt_says(lambda words: said if "update" in words else "")
    progress = Told()
    install(progress)
    assert any("install" in words for words in commands)
    assert any("https://deb.nodesource.com/node_18.x" in line for line in progress.lines)


STOPS = [
    ("E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.",
     "sudo dpkg --configure -a"),
    ("E: Unmet dependencies. Try 'apt --fix-broken install'", "sudo apt-get --fix-broken install"),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", "wait until it has ended"),
    ("E: Failed to fetch http://x/y  Could not connect to x", "http_proxy"),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", "free some space"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "hint"), STOPS, ids=[hint for _, hint in STOPS])
def test_the_next_step_mends_the_cause_and_is_not_what_has_failed(
    apt_says: Callable[[Fails], list[list[str]]], said: str, hint: str
) -> None:
    apt_says(lambda words: said if "install" in words else "")
    with pytest.raises(LabError) as raised:
        install(Quiet())
    assert hint in raised.value.hint
    assert "apt-get install" not in raised.value.hint
    assert "\n" not in raised.value.problem


def test_lists_that_another_apt_holds_are_waited_for(
    apt_says: Callable[[Fails], list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = ["E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"] * 2
    monkeypatch.setattr("time.sleep", lambda _: None)
    commands = apt_says(lambda words: locked.pop() if locked and "update" in words else "")
    install(Quiet())
    assert [words[-1] for words in commands] == ["update", "update", "update", "strace"]


BROKEN_FILES = {
    "no-suite.list": "deb http://foreign.example/apt\n",
    "no-type.list": "debian http://foreign.example/apt stable main\n",
    "no-uri.sources": "Types: deb\nSuites: stable\nComponents: main\n",
    "twice.list": "deb [signed-by=/a.asc] http://foreign.example/apt stable main\n"
    "deb [signed-by=/b.gpg] http://foreign.example/apt stable main\n",
}


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt-get; asks no network")
@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_apt_cannot_read_is_left_out(tmp_path: Path, name: str) -> None:
    """apt would read no source at all; the good ones stay, and so does the file."""
    sources = tmp_path / "sources.list.d"
    sources.mkdir()
    (sources / "debian.list").write_text("deb http://debian.example/debian trixie main\n", encoding="utf-8")
    (sources / name).write_text(BROKEN_FILES[name], encoding="utf-8")
    progress = Told()
    with _apt.with_readable_sources(progress, sources) as own:
        words = ["apt-get", *own._options, "update", "--print-uris"]
        found = shell.run(words, timeout_s=30)
    assert "http://debian.example/debian" in found.output
    assert "foreign.example" not in found.output
    assert any(name in line for line in progress.lines)
    assert (sources / name).exists()


def test_proxies_reach_apt_through_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo drops variables that it is not told of; a password in them stands on no command line."""
    sudo = tmp_path / "sudo"
    sudo.write_text(
        '#!/bin/sh\n[ "$1" != -n ] || shift\nkeep=\ncase $1 in --preserve-env=*) keep=${1#*=} && shift ;; esac\n'
        'for name in $(echo "$keep" | tr , " "); do eval "value=\\$$name"; set -- "$name=$value" "$@"; done\n'
        'exec env -i PATH=/usr/bin:/bin "$@"\n',
        encoding="utf-8",
    )
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:3128")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    outcome = root.run(["env"], timeout_s=10, env=_downloads.both_cases(_downloads.proxies(os.environ)))
    assert "http_proxy=http://me:secret@127.0.0.1:3128" in outcome.output
    assert "HTTP_PROXY=http://me:secret@127.0.0.1:3128" in outcome.output
    assert "secret" not in outcome.pasteable


def test_what_root_makes_does_not_depend_on_the_persons_umask(tmp_path: Path) -> None:
    """apt's own user, and everybody, must be able to read it."""
    before = os.umask(0o077)
    try:
        shell.run(["touch", tmp_path / "file"], timeout_s=10, umask=0o022)
    finally:
        os.umask(before)
    assert oct((tmp_path / "file").stat().st_mode & 0o777) == "0o644"
