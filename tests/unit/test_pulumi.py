"""What the Pulumi CLI is given: an environment that sh understands, and locks of the dead removed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra import machine as machine_file
from labkit.lifecycle import pulumi, set_up, state
from labkit.setup.tools import toolchain
from labkit.setup.tools.toolchain import Toolchain
from labkit.system import processes, stack_files
from labkit.system.errors import LabError

TOOLS = Toolchain(
    pulumi=Path("/a b/pulumi"), version="3.1.2", origin="built", path_dirs=(Path("/a b"),), env={"PULUMI_HOME": "/it's"}
)


def test_the_environment_survives_a_shell() -> None:
    """Spaces and quotes in paths; what is in PATH already is kept and not said again."""
    variables = pulumi.environment(TOOLS, "unix:///engine.sock")
    text = pulumi.exports(variables)
    script = f'{text}\nprintf "%s\\n" "$PULUMI_HOME" "$PATH" "$DOCKER_HOST" "$PULUMI_CONFIG_PASSPHRASE"'
    told = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
    ).stdout
    home, path, host, passphrase = told.rstrip("\n").split("\n") if told.count("\n") == 3 else told.split("\n")[:4]
    assert (home, host, passphrase) == ("/it's", "unix:///engine.sock", "")
    assert path.startswith("/a b:")
    assert path.endswith(os.environ["PATH"])
    assert os.environ["PATH"] not in text


def test_the_lines_of_env_unset_what_misleads_pulumi_and_keep_loopback_from_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the person's shell, whatever it holds; twice is as once."""
    shell = {"DOCKER_CONTEXT": "far", "PULUMI_STACK": "x", "PULUMI_OPTION_REFRESH": "true", "PYTHONSTARTUP": "/x"}
    kept = {"http_proxy": "http://proxy:3128", "NO_PROXY": "corp.example", "PULUMI_ACCESS_TOKEN": "mine"}
    for name, value in {**shell, **kept, "TMPDIR": str(tmp_path / "none")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    text = pulumi.exports(pulumi.environment(TOOLS, "unix:///engine.sock"))
    done = subprocess.run(
        ["sh", "-euc", f"{text}\n{text}\nenv"], capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
    )
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert not {*shell, "TMPDIR"} & told.keys()
    assert (told["http_proxy"], told["PULUMI_ACCESS_TOKEN"]) == (kept["http_proxy"], "mine")
    assert told["no_proxy"].startswith("corp.example,127.0.0.1,localhost,10.")
    assert (told["NO_PROXY"], told["no_grpc_proxy"]) == (told["no_proxy"], "127.0.0.1,localhost")


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
    """A living Pulumi, or one of another machine, keeps its lock, and the lab."""
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps(lock), encoding="utf-8")
    assert pulumi.Pulumi(TOOLS, "x").release_stale_lock("deployment") is released
    assert (folder / "one.json").exists() is not released
    with nullcontext() if released else pytest.raises(LabError, match="A Pulumi that runs holds the stack deployment"):
        pulumi.Pulumi(TOOLS, "x").claim("deployment")


def test_a_pulumi_whose_starter_was_killed_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in order within seconds, and only then is its lock a dead one's."""
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    folder.mkdir(parents=True)
    script = "sleep 2 >/dev/null 2>&1 & echo $!"  # its starter ends at once
    env = {**os.environ, processes.STARTED_BY: str(2**22 + 1)}
    told = subprocess.run(
        ["sh", "-c", script], env=env, capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
    ).stdout
    (folder / "one.json").write_text(json.dumps({"pid": int(told), "hostname": os.uname().nodename}), encoding="utf-8")
    assert pulumi.Pulumi(TOOLS, "x").at_work("deployment")
    assert pulumi.Pulumi(TOOLS, "x").release_stale_lock("deployment")
    assert not (folder / "one.json").exists()


@pytest.mark.parametrize("holder", [2**22 + 1, os.getpid()], ids=["dead", "alive"])
def test_attributes_that_a_killed_pulumi_left_cut_short_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: int
) -> None:
    """State, and attributes that are whole, stay. Beside a Pulumi that is at work nothing is touched."""
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "deployment"
    locks.mkdir(parents=True)
    (locks / "one.json").write_text(json.dumps({"pid": holder, "hostname": os.uname().nodename}), encoding="utf-8")
    folder = tmp_path / ".pulumi" / "stacks" / "vm-vs-container"
    folder.mkdir(parents=True)
    kept = {"deployment.json": "", "deployment.json.bak": "{}", "deployment.json.bak.attrs": "{}"}
    for name, text in {**kept, "deployment.json.attrs": ""}.items():
        (folder / name).write_text(text, encoding="utf-8")
    state.mend_attributes()
    left = {file.name for file in folder.iterdir()}
    assert left == (set(kept) if holder != os.getpid() else {*kept, "deployment.json.attrs"})


def test_what_a_killed_pulumi_was_at_is_read_from_the_state_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None where there is no state, or one of another shape."""
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    file = tmp_path / ".pulumi" / "stacks" / "vm-vs-container" / "deployment.json"
    file.parent.mkdir(parents=True)
    told = []
    for text in (None, "[", "{}", '{"checkpoint": {"latest": null}}', '{"checkpoint": {"latest": {}}}'):
        if text is not None:
            file.write_text(text, encoding="utf-8")
        told.append((state.pending_operations("deployment"), state.has_resources("deployment")))
    assert told == [(0, False)] * 5
    file.write_text(
        json.dumps({"checkpoint": {"latest": {"resources": [{}], "pending_operations": [{}, {}]}}}), encoding="utf-8"
    )
    assert (state.pending_operations("deployment"), state.has_resources("deployment")) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_was_interrupted_never_counts_as_done(tmp_path: Path, number: int) -> None:
    """A program that says 0 after it was stopped, as Pulumi does between two steps of a destroy."""
    program = tmp_path / "pulumi"
    program.write_text(
        f"#!/bin/sh\ntrap 'exit 0' INT\nkill -{int(number)} $PPID\nwhile :; do sleep 0.1; done\n", encoding="utf-8"
    )
    program.chmod(0o755)
    tools = dataclasses.replace(TOOLS, pulumi=program)
    if number == signal.SIGINT:  # the terminal sends it to both
        program.write_text(program.read_text(encoding="utf-8").replace("while :", "exit 0; while :"), encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        pulumi.Pulumi(tools, "x").show(["destroy"], timeout_s=20)


NOISE = "error: Running program exited prematurely. This is always a bug in the provider."


def test_a_word_on_stderr_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load the official CLI says of a plugin that was slow to end that it has a bug, and ends with status 0."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\necho '{NOISE}' >&2\n[ $1 != stack ] || echo '{{}}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    asked = pulumi.Pulumi(dataclasses.replace(TOOLS, pulumi=program), "x")
    assert asked.show(["up"], timeout_s=60) == 0
    assert asked.quiet(["destroy"]).ok
    assert asked.outputs("deployment") == {}


def test_a_lab_that_has_come_since_set_up_has_a_stack_whatever_is_asked_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where set-up is only looked at, too: `./lab status` after `./lab new` meets no stack that is not there."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>'{tmp_path}/asked'\n", encoding="utf-8")
    program.chmod(0o755)
    stacks = tmp_path / ".pulumi" / "stacks" / "vm-vs-container"
    stacks.mkdir(parents=True)
    (stacks / "deployment.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    for lab in ("demo", "deployment"):
        (tmp_path / f"Pulumi.{lab}.yaml").write_text("config: {}\n", encoding="utf-8")
    monkeypatch.setattr(stack_files, "CHECKOUT", tmp_path)
    monkeypatch.setattr(machine_file, "load", lambda: SimpleNamespace(docker_host="unix:///e"))
    monkeypatch.setattr(toolchain, "find", lambda: dataclasses.replace(TOOLS, pulumi=program))
    set_up.need()
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "stack init demo --no-select --non-interactive\n"


@pytest.mark.parametrize(("told", "ended"), [(["gone", "gone"], True), (["gone", "", "", ""], False)])
def test_a_command_that_is_lost_twice_in_a_row_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], ended: bool
) -> None:
    """A server that was only being replaced ends nothing; one that is gone ends what waits for it."""
    monkeypatch.setattr(pulumi, "_LOOK_S", 0.2)
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\ntrap 'exit 9' INT\ni=0\nwhile [ $i -lt {600 if ended else 6} ]\n"
                       "do sleep 0.1; i=$((i + 1)); done\n", encoding="utf-8")  # fmt: skip
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


def test_the_cli_gets_neither_the_persons_settings_nor_their_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is shown, and as it is asked."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\nenv >>'{tmp_path}/env'\n", encoding="utf-8")
    program.chmod(0o755)
    names = ("DOCKER_CONTEXT", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN", "http_proxy", "ALL_PROXY")
    for name in names:
        monkeypatch.setenv(name, "not-for-us")
    ours = pulumi.Pulumi(dataclasses.replace(TOOLS, pulumi=program), "unix:///e")
    ours.show(["up"], timeout_s=20)
    ours.quiet(["up"])
    told = (tmp_path / "env").read_text(encoding="utf-8")
    assert "not-for-us" not in told
    assert told.count("DOCKER_HOST=unix:///e\n") == told.count("LC_ALL=C.UTF-8\n") == 2


@pytest.mark.parametrize(
    ("outputs", "lans"),
    [
        ({}, ["10.209.58.0/24"]),
        ({"servers": [{"address": "172.16.4.2"}]}, ["172.16.4.0/24"]),
        ({"servers": [{"address": "172.16.4.3"}, {"address": "172.16.4.2"}]}, ["172.16.4.0/24"]),
    ],
)
def test_no_proxy_names_the_network_that_a_lab_has(outputs: dict[str, Any], lans: list[str]) -> None:
    """Which need not be the one that it would get now: `auto` goes on to a free one."""
    assert pulumi.lans(outputs, "10.209.58.0/24") == lans
