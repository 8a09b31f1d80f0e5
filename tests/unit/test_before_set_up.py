"""What the verbs say in a fresh clone, that a shell completes them, and that long steps say that they live."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from infra import machine
from labkit import _completing, cli
from labkit.lifecycle import in_use
from labkit.runs import run_folder
from labkit.system import progress, stack_files
from labkit.system.errors import LabError
from labkit.system.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.load, "__defaults__", (tmp_path / "machine.json",))
    monkeypatch.setattr(machine, "FILE", tmp_path / "machine.json")
    # A run that this checkout's lab is measured in may be under way: the suite's other lane walks through the guide.
    monkeypatch.setattr(in_use, "STATE", tmp_path)


def test_status_says_it_in_its_first_line() -> None:
    """With the next step; that nothing is up is no failure."""
    done = CliRunner().invoke(cli.lab, ["status"], catch_exceptions=False)
    assert done.output.splitlines() == [
        "This checkout is not set up yet, so no lab is up.",
        f"  Next: ./lab up {stack_files.example()}",
    ]
    assert done.exit_code == 0


VERBS = {
    "watch": (["watch", "deployment"], "./lab up deployment"),
    "run": (["run", "deployment"], "./lab up deployment"),
    "fault": (["fault", "failover", "server-killed", "--side", "vm"], "./lab up failover"),
    "fault undone": (["fault", "failover", "--undo"], "./lab up failover"),
    "exec": (["exec", "vm-1"], "./lab setup"),
    "capture": (["capture", "vm-1"], "./lab setup"),
    "down": (["down", "deployment"], "./lab setup, then look what is there: ./lab leftovers deployment"),
    "leftovers": (["leftovers"], "./lab setup"),
    "env": (["env"], "./lab setup"),
    "status as JSON": (["status", "--json"], "./lab setup"),
}


@pytest.mark.parametrize("case", VERBS)
def test_every_verb_names_the_next_step(case: str) -> None:
    """In one sentence."""
    words, hint = VERBS[case]
    with pytest.raises(LabError) as refused:
        CliRunner().invoke(cli.lab, words, catch_exceptions=False, standalone_mode=False)
    assert refused.value.problem == "This checkout is not set up."
    assert refused.value.hint == hint


def completed(*words: str) -> list[str]:
    """What bash itself offers behind these words, after `eval "$(./lab completion bash)"`."""
    script = (
        'eval "$(./lab completion bash)"\n'
        f"COMP_WORDS=({' '.join(words)} '')\nCOMP_CWORD={len(words)}\n"
        "_lab_completion ./lab\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
        "complete -p lab"
    )
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-c", script], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True
    )
    *offered, registered = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _lab_completion lab"
    assert done.stderr == ""
    return offered


def test_bash_completes_verbs_labs_and_experiments() -> None:
    """As ./lab, which bash looks up by its last part."""
    assert completed("./lab", "up") == stack_files.names()
    assert {"size", "start"} <= set(completed("./lab", "run", "deployment"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    """Asking by the launcher's variable."""
    script = _completing.source(cli.lab, shell)
    assert f"_LAB_COMPLETE={shell}_complete" in script
    assert "\x1b" not in script


def test_replicas_and_runs_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From state files alone."""
    noted = {"replicas": [{"name": "vm-1"}, {"name": "container-1"}], "servers": [{"name": "server-1"}]}
    monkeypatch.setattr("labkit.lifecycle.state.noted_outputs", lambda _lab: noted)
    monkeypatch.setattr(run_folder, "all_of", lambda _lab: [Path("a1"), Path("a2")])
    context = click.Context(cli.lab)
    context.params["lab"] = "deployment"
    argument = cli.lab.params[0] if cli.lab.params else click.Argument(["x"])
    assert _completing.replicas(context, argument, "") == ["vm-1", "container-1", "server-1"]
    assert _completing.replicas(context, argument, "vm") == ["vm-1"]
    assert _completing.runs(context, argument, "a") == ["a2", "a1"]


def test_the_launcher_installs_nothing_for_a_shell_that_asks(tmp_path: Path) -> None:
    """In a fresh clone there is nothing to offer yet."""
    shutil.copy(ROOT / "lab", tmp_path / "lab")
    env = {**os.environ, "_LAB_COMPLETE": "bash_complete"}
    done = subprocess.run([tmp_path / "lab"], env=env, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [file.name for file in tmp_path.iterdir()] == ["lab"]


def test_a_long_step_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, with what it is at; what shows itself as well."""
    monkeypatch.setattr(progress, "ALIVE_S", 0.05)
    stream = io.StringIO()
    report = progress.Terminal(stream)
    with report.step("Building"):
        report.detail("part 3")
        assert until(lambda: re.search(r"^… Building: \d+ s  part 3$", stream.getvalue(), re.MULTILINE), 30)
    with report.alive("pulumi up"):
        assert until(lambda: re.search(r"^… pulumi up: \d+ s", stream.getvalue(), re.MULTILINE), 30)
    assert stream.getvalue().startswith("… Building\n")
