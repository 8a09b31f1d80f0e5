"""./lab test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra import environment
from labkit.commands import setup
from labkit.lifecycle import pulumi, suite, suite_processes
from labkit.lifecycle.suite import PLACE
from labkit.setup.docker import engine
from labkit.setup.docker.engine import Engine
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT, VENV
from labkit.system.progress import Terminal
from labkit.system.signals import interrupts_wait

_INTERRUPTED = 130
_TEST_S = 1200
"""Bound of a test that has none of its own and is not for --long: one that hangs must not hang the rest."""

_UNIT = ("tests/unit", "tests/program", "-n", "logical", "--no-loadscope-reorder", "--durations=5")
"""What --unit runs where no tests are named: what decides, and what would be declared. As many at once as there are
CPUs, a file at a time."""

_ALWAYS = {"VVC_TESTS": "1"}
"""Where ./lab runs the tests a skip is a failure."""


def run_unit(arguments: Sequence[str]) -> int:
    """Run what needs neither set-up nor an engine, and is quick: in the checkout, whose labs and runs it lets be.

    pytest has the last line.
    """
    return _followed(["-m", "not (engine or long or slow)", *(arguments or _UNIT)], suite.for_unit, _ALWAYS)


def run(arguments: Sequence[str], *, long: bool, yes: bool) -> int:
    """Run the tests in a copy of this checkout: its labs, state and runs are let be. pytest has the last line."""
    if suite_processes.in_the_copy():
        return _checks(arguments, long=long, yes=yes)
    progress = Terminal()
    with suite.only_one(progress):
        if PLACE.root.exists():
            progress.line("An earlier ./lab test was killed: removing what it left.")
            suite.remove(PLACE, _engine(lambda: engine.ensure(progress)), progress)
        try:
            suite.make(CHECKOUT, PLACE)
            status = suite_processes.follow(
                _words(arguments, long=long, yes=yes),
                PLACE.checkout,
                lambda person: suite.environment(person, CHECKOUT, PLACE),
                {},
            )
        finally:
            with interrupts_wait(progress.line, "removing what the tests made"):
                suite.remove(PLACE, _engine(engine.connect), progress)
    log = shell.log_file()
    if status == 0 and log is not None:
        log.unlink(missing_ok=True)  # nothing but set-up's commands: all is as before
    return status


def _words(arguments: Sequence[str], *, long: bool, yes: bool) -> list[str]:
    """The same command, for the copy."""
    python = PLACE.checkout / VENV.relative_to(CHECKOUT) / "bin" / "python"
    flags = [*(["--long"] if long else []), *(["--yes"] if yes else [])]
    own = suite.arguments(arguments, Path.cwd(), CHECKOUT, PLACE)
    return [str(python), "-P", "-X", "utf8", "-m", "labkit", "test", *flags, "--", *own]


def _engine(ask: Callable[[], Engine | None]) -> Engine | None:
    """The engine on which the tests' labs are; None where there is none that we can use: then no lab is either."""
    try:
        return ask()
    except LabError:
        return None


def _checks(arguments: Sequence[str], *, long: bool, yes: bool) -> int:
    """In the copy: set up, then run ruff, mypy and pytest."""
    suite_processes.begin_in_the_copy()
    with suite_processes.outliving():
        ready = setup.prepare(yes=yes, tests=True)
    own = {**pulumi.environment(ready.toolchain, ready.machine.docker_host), **_ALWAYS}
    selection = [] if long else ["-m", "not long", "--timeout", str(_TEST_S)]
    return _followed([*selection, *arguments], environment.for_tests, own)


def _followed(pytest: Sequence[str], gets: environment.Gets, own: Mapping[str, str]) -> int:
    """Run ruff, mypy and pytest with these arguments; the exit status of all."""
    python = [sys.executable, "-m"]
    checks = [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "mypy"],
        [*python, "pytest", *pytest],
    ]
    try:
        *others, tests = [suite_processes.follow(check, CHECKOUT, gets, own) for check in checks]
    except KeyboardInterrupt:
        return _INTERRUPTED
    return tests or (1 if any(others) else 0)
