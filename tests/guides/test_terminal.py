"""./lab guide as a person meets it: at a terminal it asks, elsewhere it runs with --yes; Ctrl-C ends what runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from labkit.system.processes import alive
from labkit.system.waiting import until
from tests.guides.guides import ROOT
from tests.unit import guide_text

pytestmark = pytest.mark.timeout(120)

PROGRAM = """\
import sys
sys.argv[0] = "lab"
from pathlib import Path
from labkit import cli
from labkit.guide import fence, model
import labkit.commands.guide as command
command.read = lambda lab: model.parse(Path({guide!r}).read_text(), lab="demo")
fence.STATE = Path({state!r})
cli.main()
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The command line of ./lab with a small guide; its steps write into tmp_path."""
    steps = guide_text.step("First", f"echo one >>{tmp_path}/log", f"test -e {tmp_path}/ok", hint="make the file `ok`")
    slow = guide_text.step("Slow", f"echo $$ >{tmp_path}/pid; sleep 97")
    text = guide_text.guide(experiment=f"{steps}\n{slow}")
    (tmp_path / "guide.md").write_text(text, encoding="utf-8")
    (tmp_path / "program.py").write_text(
        PROGRAM.format(guide=str(tmp_path / "guide.md"), state=str(tmp_path)), encoding="utf-8"
    )
    return [sys.executable, str(tmp_path / "program.py"), "guide", "deployment"]


def run(words: list[str], *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words, *more], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False, encoding="utf-8")  # fmt: skip


def test_without_a_terminal_it_does_not_run_what_nobody_asked_for(program: list[str], tmp_path: Path) -> None:
    """It names --yes and --list."""
    done = run(program)
    assert done.returncode == 1
    assert "--yes runs all steps without asking" in done.stderr
    assert not (tmp_path / "log").exists()


def test_list_names_the_steps_and_runs_nothing(program: list[str], tmp_path: Path) -> None:
    """With their numbers, below their sections."""
    told = run(program, "--list").stdout
    assert "     2  Do bring up\n" in told
    assert not (tmp_path / "guide.jsonl").exists()


def test_a_check_that_fails_shows_the_hint_and_exits_non_zero(program: list[str], tmp_path: Path) -> None:
    """With --yes at once; without colours where nobody sees them."""
    done = run(program, "--yes", "--from", "First")
    assert done.returncode == 1
    assert "✗ Step 5: First. The check ended with status 1." in done.stdout
    assert "Hint: make the file ok" in done.stdout
    assert "Go on: ./lab guide deployment --from 5" in done.stdout
    assert "\x1b" not in done.stdout
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\n"


def test_a_reader_may_retry_skip_and_quit(program: list[str], tmp_path: Path) -> None:
    """At a terminal; a retry runs the whole step again."""
    child = pexpect.spawn(program[0], [*program[1:], "--from", "5"], cwd=str(ROOT), timeout=40, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    child.expect("Step 5 of 9: First")
    child.expect("Enter: run it")
    child.sendline("")
    child.expect("Hint:.* make the file")
    child.expect("r: retry")
    child.sendline("nonsense")
    child.expect("r: retry")
    (tmp_path / "ok").touch()
    child.sendline("r")
    child.expect("✓ First")
    child.expect("Step 6 of 9: Slow")
    child.sendline("s")
    child.expect("Step 7")
    child.sendline("q")
    child.expect("Go on: ./lab guide deployment --from 7")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\none\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_ends_the_step_that_runs(program: list[str], tmp_path: Path, terminal: bool) -> None:
    """Exit status 130, and nothing of the step runs on."""
    words = [*program, "--from", "Slow", *([] if terminal else ["--yes"])]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def pid() -> int:
        assert until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text(encoding="utf-8")), 30)
        return int((tmp_path / "pid").read_text(encoding="utf-8"))

    if terminal:
        child = pexpect.spawn(words[0], words[1:], cwd=str(ROOT), timeout=40, encoding="utf-8", env=env)
        child.expect("Enter: run it")
        child.sendline("")
        step = pid()
        child.sendintr()
        child.expect("Interrupted.")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
    else:
        process = subprocess.Popen(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, encoding="utf-8")  # fmt: skip
        step = pid()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Interrupted." in told
    assert until(lambda: not alive(step), 10)
