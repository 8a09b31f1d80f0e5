"""No traceback, ever: one sentence on stderr, one next step, the log's name; the traceback is in the log."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from labkit import _unready, cli
from labkit._ending import BUNDLE, next_step
from labkit.system import errors
from labkit.system.errors import LOOK, CommandError, LabError
from labkit.system.outcome import Outcome

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.slow


def ended(tmp_path: Path, body: str, *words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A tool whose `doctor` does what `body` says, ended as ./lab ends; its log lies in tmp_path."""
    program = (
        "import sys\n"
        f"sys.argv = ['lab', *{list(words) or ['doctor']!r}]\n"
        "import pathlib\nfrom labkit import _ending\n"
        f"_ending.STATE = pathlib.Path({str(tmp_path)!r})\n"
        "from labkit import cli\nimport labkit.commands.doctor as d\n"
        "def fault(**_):\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "d.run = fault\ncli.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace", timeout=60, check=False,
    )  # fmt: skip


SURPRISES = {
    "any exception": ("raise ValueError('the rule')", "ValueError: the rule"),
    "of a library, in colours": ("raise KeyError('\\x1b[31mred\\x1b[0m')", "KeyError: 'x1b[31mred"),
    "one without words": ("raise ZeroDivisionError", "ZeroDivisionError"),
    "one whose text fails": (
        "class Odd(Exception):\n    def __str__(self): raise TypeError('no')\nraise Odd",
        "Odd",
    ),
    "without end": ("fault()", "RecursionError: maximum recursion depth exceeded"),
    "memory": ("raise MemoryError", "MemoryError"),
    "permission": ("open('/proc/1/mem/x')", "NotADirectoryError: "),
    "a letter": ("'\\ud800'.encode()", "UnicodeEncodeError: 'utf-8' codec can't encode"),
    "docker": ("import docker\nraise docker.errors.DockerException('no engine')", "DockerException: no engine"),
    "requests": ("import requests\nraise requests.exceptions.ReadTimeout('late')", "ReadTimeout: late"),
    "a pipe that is not ours": ("raise BrokenPipeError(32, 'Broken pipe')", "BrokenPipeError: [Errno 32] Broken pipe"),
    "an end that is not ours": ("raise EOFError('Ran out of input')", "EOFError: Ran out of input"),
    "in a pool": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor() as pool: list(pool.map(int, ['x']))",
        "ValueError: invalid literal for int()",
    ),
    "several at once": ("raise ExceptionGroup('all', [OSError('first'), ValueError('b')])", "OSError: first"),
}


@pytest.mark.parametrize("case", SURPRISES)
def test_whatever_happens_is_one_sentence(tmp_path: Path, case: str) -> None:
    """And the traceback is in the log, whose name is told."""
    body, sentence = SURPRISES[case]
    done = ended(tmp_path, body)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    first, step, log = done.stderr.splitlines()
    assert first.startswith(f"✗ ./lab doctor met what it does not expect: {sentence.split('x1b')[0]}")
    assert step == f"  Next: {BUNDLE}"
    text = Path(log.removeprefix("  Log: ")).read_text(encoding="utf-8")
    assert text.count("not expected") == 1
    assert "Traceback" in text or case == "one whose text fails"


def test_a_thread_that_fails_shows_no_traceback(tmp_path: Path) -> None:
    """A sentence; the traceback is in the log."""
    done = ended(
        tmp_path, "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nreturn 0"
    )
    assert "Traceback" not in done.stderr
    assert "a part of this command failed: ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" in next((tmp_path / "logs").iterdir()).read_text(encoding="utf-8")


def test_a_library_that_logs_a_traceback_does_it_in_the_log(tmp_path: Path) -> None:
    """As asyncio and gRPC do of what nobody awaited."""
    body = (
        "import logging\ntry: 1 / 0\nexcept ZeroDivisionError: logging.getLogger('grpc').exception('calling')\nreturn 0"
    )
    done = ended(tmp_path, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Traceback" in next((tmp_path / "logs").iterdir()).read_text(encoding="utf-8")


def test_a_module_that_is_gone_is_a_damaged_venv(tmp_path: Path) -> None:
    """Also one that is loaded only when the verb runs."""
    done = ended(tmp_path, "import no_such_package")
    assert done.stderr.splitlines()[:2] == [
        f"✗ The Python packages in {ROOT}/.venv are damaged (ModuleNotFoundError: No module named 'no_such_package').",
        f"  Next: rm -r {shlex.quote(f'{ROOT}/.venv')}; the next ./lab makes it anew",
    ]


def test_a_tool_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    """Without click there is no command line; a person still gets a sentence."""
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text("raise ImportError('cut short', name='click')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "--help"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    first, step, log = done.stderr.splitlines()
    assert done.returncode == 1
    assert first == f"✗ The Python packages in {ROOT}/.venv are damaged (ImportError: cut short)."
    assert step.startswith("  Next: rm -r ")
    file = Path(log.removeprefix("  Log: "))
    assert "Traceback" in file.read_text(encoding="utf-8")
    file.unlink()


def test_what_is_damaged_is_told_apart() -> None:
    """A file of the checkout, a package, memory."""
    place = Path("/a b/lab")
    own = _unready.worded(SyntaxError("bad", ("/a b/lab/labkit/x.py", 1, 1, "")), [], place)
    assert own[1] == "git -C '/a b/lab' status"
    foreign = _unready.worded(AttributeError("x"), ["/a b/lab/labkit/cli.py", "/a b/lab/.venv/lib/y.py"], place)
    assert foreign[1] == "rm -r '/a b/lab/.venv'; the next ./lab makes it anew"
    assert _unready.worded(ImportError("x", name="labkit.z"), [], place)[1] == own[1]
    assert _unready.worded(MemoryError(), [], place)[1].startswith("end what needs much")


def test_who_reads_no_more_gets_no_message(tmp_path: Path) -> None:
    """`| head`: silent, and not 0, as not all was shown."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = ended(tmp_path, "import click\nfor _ in range(10000): click.echo('a line')\nreturn 0", stdout=theirs)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_full_disk_behind_stdout_is_told(tmp_path: Path) -> None:
    """0 only if what was claimed was shown."""
    with Path("/dev/full").open("wb") as full:
        done = ended(tmp_path, "print('facts')\nreturn 0", stdout=full.fileno())
    assert done.returncode == 1
    assert "[Errno 28] No space left on device" in done.stderr
    assert "Next: free some space" in done.stderr
    assert "Traceback" not in done.stderr


def test_letters_that_a_terminal_does_not_know_are_replaced() -> None:
    """Not even the message about it would come through."""
    for encoding in ("ascii", "iso-8859-1"):
        done = subprocess.run(
            [sys.executable, "-m", "labkit", "up", "x…"], cwd=ROOT, capture_output=True, check=False,
            env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"},
        )  # fmt: skip
        assert done.returncode == 1
        assert b" There is no lab 'x" in done.stderr
        assert b"Next: " in done.stderr


@pytest.mark.parametrize("wait_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_an_interrupt_at_any_moment_shows_no_traceback(wait_s: float) -> None:
    """From the interpreter's first line on."""
    process = subprocess.Popen([ROOT / "lab", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(wait_s)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert b"Traceback" not in told
    assert b"KeyboardInterrupt" not in told


STEPS = {
    "the command itself": ("./lab up deployment", ["up", "deployment"], LOOK),
    "the command itself, again": ("./lab up deployment again", ["up", "deployment", "--yes"], LOOK),
    "set-up, from what begins with it": ("./lab setup", ["up", "deployment"], LOOK),
    "set-up, from set-up": ("./lab setup", ["setup", "-y"], LOOK),
    "set-up, from another": ("./lab setup", ["status"], "./lab setup"),
    "a look that failed": ("./lab doctor", ["doctor"], BUNDLE),
    "another lab": ("./lab up other", ["up", "deployment"], "./lab up other"),
    "words of a person": ("wait; try again", ["up", "deployment"], "wait; try again"),
    "a command of another": ("rm -r 'x", ["up"], "rm -r 'x"),
}


@pytest.mark.parametrize("case", STEPS)
def test_the_next_step_is_not_what_has_just_failed(case: str) -> None:
    """A look instead."""
    hint, words, step = STEPS[case]
    assert next_step(hint, words) == step


def test_every_error_has_a_next_step() -> None:
    """Where nothing better is known: a look."""
    assert LabError("x").hint == LOOK
    assert CommandError(Outcome(("false",), 1, "", 0.1)).hint == LOOK


@pytest.mark.parametrize("verb", list(cli.lab.commands))
def test_every_verb_takes_yes(verb: str) -> None:
    """Scripts pass it to all alike."""
    words = {word for parameter in cli.lab.commands[verb].params for word in parameter.opts}
    assert {"--yes", "-y"} <= words
    with click.Context(cli.lab) as context, pytest.raises(click.exceptions.Exit) as shown:
        cli.lab.commands[verb].make_context(verb, ["--yes", "-y", "--help"], parent=context)
    assert shown.value.exit_code == 0


def test_a_mistyped_verb_is_guessed() -> None:
    """In whatever case it was typed."""
    assert errors.meant("Stauts", ["status", "up"]) == "Did you mean status?"
    assert errors.meant("VM-1", ["vm-1", "container-1"]) == "Did you mean vm-1?"
    assert errors.meant("xyz", ["status"], "Try: it") == "Try: it"
