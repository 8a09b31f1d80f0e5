"""The command line: errors on stderr with one next step, exit codes, and nothing before the input is checked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.source import commit
from labkit.system import stack_files
from labkit.system.processes import alive
from labkit.system.waiting import until

ROOT = Path(__file__).parents[2]
LABS = ", ".join(stack_files.names())


def tool(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labkit", *words],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        encoding="utf-8",
    )


def test_help_names_every_command() -> None:
    """In the order in which one meets them."""
    text = tool("--help").stdout
    names = ("setup", "doctor", "up", "guide", "watch", "status", "exec", "capture", "run", "fault", "report", "down",
             "leftovers", "clean", "engine", "env", "bench", "new", "test")  # fmt: skip
    places = [text.index(f"\n  {name} ") for name in names]
    assert places == sorted(places)


def test_the_version_is_the_one_that_runs_note() -> None:
    """By the commit, as there is no other: nothing else is run."""
    done = tool("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"vm-vs-container {commit(ROOT)}\n"


@pytest.mark.parametrize(
    ("words", "message", "next_step"),
    [
        (["up", "deploiment"], f"There is no lab 'deploiment'; there is {LABS}.", "Did you mean deployment?"),
        (["up", "x"], f"There is no lab 'x'; there is {LABS}.", f"Try: ./lab up {stack_files.example()}"),
        (["status", "x"], f"There is no lab 'x'; there is {LABS}.", f"Try: ./lab up {stack_files.example()}"),
    ],
)
def test_an_unknown_lab_is_refused(words: list[str], message: str, next_step: str) -> None:
    """On stderr, with exit status 1, and without a log: nothing was run."""
    done = tool(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"✗ {message}\n  Next: {next_step}\n"


@pytest.mark.parametrize("words", [["nonsense"], ["up"], ["bench", "sideways"], ["bench", "up", "-n", "1"]])
def test_a_mistyped_command_is_a_usage_error(words: list[str]) -> None:
    """Exit status 2, and how it is meant."""
    done = tool(*words)
    assert done.returncode == 2
    assert "Usage: ./lab" in done.stderr


def test_no_colour_where_nobody_sees_it() -> None:
    """No escape sequence in a pipe."""
    assert "\x1b" not in tool("up", "x").stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_told_and_ends_with_130(tmp_path: Path, sign: signal.Signals) -> None:
    """INT and TERM alike; what was started is ended on the way out."""
    program = (
        "import sys; sys.argv = ['lab', 'doctor']\n"
        "from labkit import cli\nfrom labkit.system import shell\n"
        "import labkit.commands.doctor as d\n"
        "def slow(**_):\n"
        f"    shell.run(['sh', '-c', 'echo $$ > {tmp_path}/pid; sleep 97'], timeout_s=60)\n"
        "d.run = slow\n"
        "cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    begin = time.monotonic()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text(encoding="utf-8"):
        assert time.monotonic() - begin < 30
        time.sleep(0.05)
    process.send_signal(sign)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted." in told
    child = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert until(lambda: not alive(child), 10)
