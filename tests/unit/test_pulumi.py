"""What the Pulumi CLI is given: an environment that sh understands, and locks of the dead removed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from labkit import processes, pulumi
from labkit.errors import LabError
from labkit.toolchain import Toolchain

TOOLS = Toolchain(
    pulumi=Path("/a b/pulumi"), version="3.1.2", origin="built", path_dirs=(Path("/a b"),), env={"PULUMI_HOME": "/it's"}
)


def test_the_environment_survives_a_shell() -> None:
    """Spaces and quotes in paths; what is in PATH already is kept and not said again."""
    variables = pulumi.environment(TOOLS, "unix:///engine.sock")
    text = pulumi.exports(variables)
    script = f'{text}\nprintf "%s\\n" "$PULUMI_HOME" "$PATH" "$DOCKER_HOST" "$PULUMI_CONFIG_PASSPHRASE"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True).stdout
    home, path, host, passphrase = told.rstrip("\n").split("\n") if told.count("\n") == 3 else told.split("\n")[:4]
    assert (home, host, passphrase) == ("/it's", "unix:///engine.sock", "")
    assert path.startswith("/a b:")
    assert path.endswith(os.environ["PATH"])
    assert os.environ["PATH"] not in text


def test_state_is_kept_in_the_checkout_by_a_url() -> None:
    """A path with a space is a URL without one."""
    assert " " not in pulumi.environment(TOOLS, "x")["PULUMI_BACKEND_URL"]


@pytest.mark.parametrize(
    ("lock", "released"),
    [
        ({"pid": 2**22 + 1, "hostname": os.uname().nodename}, True),
        ({"pid": os.getpid(), "hostname": os.uname().nodename}, False),
        ({"pid": 2**22 + 1, "hostname": "another-machine"}, False),
    ],
    ids=["dead", "alive", "elsewhere"],
)
def test_only_a_lock_of_the_dead_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: dict[str, object], released: bool
) -> None:
    """A living Pulumi, or one of another machine, keeps its lock."""
    monkeypatch.setattr(pulumi, "BACKEND", tmp_path)
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps(lock))
    assert pulumi.Pulumi(TOOLS, "x").release_stale_lock("deployment") is released
    assert (folder / "one.json").exists() is not released


def test_a_pulumi_whose_starter_was_killed_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in order within seconds, and only then is its lock a dead one's."""
    monkeypatch.setattr(pulumi, "BACKEND", tmp_path)
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    folder.mkdir(parents=True)
    script = "sleep 2 >/dev/null 2>&1 & echo $!"  # its starter ends at once
    env = {**os.environ, processes.STARTED_BY: str(2**22 + 1)}
    told = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, timeout=10, check=True).stdout
    (folder / "one.json").write_text(json.dumps({"pid": int(told), "hostname": os.uname().nodename}))
    assert pulumi.Pulumi(TOOLS, "x").at_work("deployment")
    assert pulumi.Pulumi(TOOLS, "x").release_stale_lock("deployment")
    assert not (folder / "one.json").exists()


@pytest.mark.parametrize("holder", [2**22 + 1, os.getpid()], ids=["dead", "alive"])
def test_attributes_that_a_killed_pulumi_left_cut_short_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: int
) -> None:
    """State, and attributes that are whole, stay. Beside a Pulumi that is at work nothing is touched."""
    monkeypatch.setattr(pulumi, "BACKEND", tmp_path)
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    locks.mkdir(parents=True)
    (locks / "one.json").write_text(json.dumps({"pid": holder, "hostname": os.uname().nodename}))
    folder = tmp_path / ".pulumi" / "stacks" / "vm-vs-container"
    folder.mkdir(parents=True)
    kept = {"deployment.json": "", "deployment.json.bak": "{}", "deployment.json.bak.attrs": "{}"}
    for name, text in {**kept, "deployment.json.attrs": ""}.items():
        (folder / name).write_text(text)
    pulumi.mend_attributes()
    left = {file.name for file in folder.iterdir()}
    assert left == (set(kept) if holder != os.getpid() else {*kept, "deployment.json.attrs"})


def test_what_a_killed_pulumi_was_at_is_read_from_the_state_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None where there is no state, or one of another shape."""
    monkeypatch.setattr(pulumi, "BACKEND", tmp_path)
    file = tmp_path / ".pulumi" / "stacks" / "vm-vs-container" / "deployment.json"
    file.parent.mkdir(parents=True)
    told = []
    for state in (None, "[", "{}", '{"checkpoint": {"latest": null}}', '{"checkpoint": {"latest": {}}}'):
        if state is not None:
            file.write_text(state)
        told.append((pulumi.pending_operations("deployment"), pulumi.has_resources("deployment")))
    assert told == [(0, False)] * 5
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [{}], "pending_operations": [{}, {}]}}}))
    assert (pulumi.pending_operations("deployment"), pulumi.has_resources("deployment")) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_was_interrupted_never_counts_as_done(tmp_path: Path, number: int) -> None:
    """A program that says 0 after it was stopped, as Pulumi does between two steps of a destroy."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\ntrap 'exit 0' INT\nkill -{int(number)} $PPID\nwhile :; do sleep 0.1; done\n")
    program.chmod(0o755)
    tools = dataclasses.replace(TOOLS, pulumi=program)
    if number == signal.SIGINT:  # the terminal sends it to both
        program.write_text(program.read_text().replace("while :", "exit 0; while :"))
    with pytest.raises(KeyboardInterrupt):
        pulumi.Pulumi(tools, "x").show(["destroy"], timeout_s=20)


@pytest.mark.parametrize(("told", "ended"), [(["gone", "gone"], True), (["gone", "", "", ""], False)])
def test_a_command_that_is_lost_twice_in_a_row_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], ended: bool
) -> None:
    """A server that was only being replaced ends nothing; one that is gone ends what waits for it."""
    monkeypatch.setattr(pulumi, "_LOOK_S", 0.2)
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\ntrap 'exit 9' INT\ni=0\nwhile [ $i -lt {600 if ended else 6} ]\n"
                       "do sleep 0.1; i=$((i + 1)); done\n")  # fmt: skip
    program.chmod(0o755)
    asked = pulumi.Pulumi(dataclasses.replace(TOOLS, pulumi=program), "x")
    answers = iter([*told, *[""] * 99])

    def lost() -> str:
        return next(answers)

    if not ended:
        assert asked.show(["up"], timeout_s=60, lost=lost) == 0
        return
    with pytest.raises(LabError, match=r"^gone after .* s: pulumi up$"):
        asked.show(["up"], timeout_s=60, lost=lost)
