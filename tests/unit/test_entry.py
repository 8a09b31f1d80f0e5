"""The program's door: where Pulumi looks for it, how it refuses, how it ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest
import yaml

from infra import checkout, door, main, preflight, program
from infra import machine as machine_file
from infra.machine import Machine
from labkit.lifecycle import state
from labkit.system.paths import CHECKOUT

PROJECT = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))
BOUND_S = 60


def test_the_program_lies_where_pulumi_expects_it() -> None:
    """Beside Pulumi.yaml: a `main` elsewhere would move the folder in which the official tools start plugins."""
    assert "main" not in PROJECT
    assert (CHECKOUT / "__main__.py").is_file()
    assert (CHECKOUT / "requirements.txt").is_file()


def test_plain_pulumi_finds_the_labs_own_state() -> None:
    """The backend that Pulumi.yaml names is the one that ./lab uses, and its folder is there in a fresh clone."""
    url = PROJECT["backend"]["url"]
    assert (CHECKOUT / url.removeprefix("file://")).resolve() == state.BACKEND
    listed = subprocess.run(
        ["git", "ls-files", ".state"], cwd=CHECKOUT, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert listed.returncode != 0 or listed.stdout.split() == [".state/pulumi/README"]


def run_door(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The door in a process of its own, in a copy that has nothing but the program."""
    for name in ("infra", "__main__.py"):
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\nimport runpy, pulumi\n" + "\n".join(words)
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nrunpy.run_path({str(folder)!r}, run_name='__main__')"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        cwd=folder,
        encoding="utf-8",
    )


SHOW = "pulumi.log.error = lambda text: print('TOLD', text)"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "TOLD This checkout is not set up. Run: ./lab setup\n"),
        (
            ["sys.modules['docker'] = None"],
            "TOLD The Python package docker is not installed in this checkout's .venv. Run: ./lab setup\n",
        ),
    ],
    ids=["not set up", "a package is missing"],
)
def test_a_refusal_is_a_sentence_and_the_status_that_says_so(tmp_path: Path, words: list[str], told: str) -> None:
    """No traceback, and nothing for the language host to add."""
    name = "pulumi.get_stack = lambda: 'deployment'"
    ended = run_door(tmp_path, SHOW, name, *words)
    assert (ended.stdout, ended.stderr, ended.returncode) == (told, "", door.TOLD)
    assert not (tmp_path / ".state").exists()


def test_what_nobody_expects_is_a_sentence_and_its_traceback_a_log(tmp_path: Path) -> None:
    """With the log's name and how to report it."""
    broken = "def broken(): raise ValueError('odd')\npulumi.get_stack = broken"
    ended = run_door(tmp_path, SHOW, broken)
    (log,) = (tmp_path / ".state" / "logs").iterdir()
    assert ended.stdout == f"TOLD ValueError: odd. Log: {log}. Pack what happened: ./lab doctor --bundle\n"
    assert (ended.stderr, ended.returncode) == ("", door.TOLD)
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_a_stopped_program_ends_without_a_word(tmp_path: Path) -> None:
    """The engine sends SIGINT to a program when a resource of it has failed: the real error stands alone."""
    slow = "import os, signal, time\ndef slow():\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(600)\n"
    ended = run_door(tmp_path, SHOW, f"{slow}pulumi.get_stack = slow")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", door.TOLD)


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preview: bool) -> None:
    """The sockets' folder comes with the server, not with a look at what would be made."""
    sockets = tmp_path / "sockets"
    for name in ("guest", "container"):
        (tmp_path / name).mkdir()
    found = Machine(
        schema_version=machine_file.SCHEMA_VERSION,
        checkout=str(CHECKOUT),
        docker_host="unix:///nowhere.sock",
        engine_version="28.0.0",
        cgroup_version=2,
        runtime_dir=str(sockets),
        owner="0:0",
        accelerator="tcg",
        accelerator_reason="",
        server_image="sha256:0",
        guest_dir=str(tmp_path / "guest"),
        guest_digest="0",
        container_dir=str(tmp_path / "container"),
        container_digest="0",
    )
    monkeypatch.setattr(machine_file, "load", lambda: replace(found))
    monkeypatch.setattr(checkout, "enter", lambda: "0" * 8)
    monkeypatch.setattr(preflight, "check", lambda *_: None)
    monkeypatch.setattr(program, "build", lambda _: {})
    monkeypatch.setattr(pulumi, "get_stack", lambda: "deployment")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    main.run()
    assert sockets.exists() is not preview
