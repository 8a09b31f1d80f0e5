"""Our Python language host, started as the engine starts it, asked as the engine asks."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import grpc  # type: ignore[import-untyped] # ships no types
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped] # ships no types
from pulumi.runtime.proto import (
    language_pb2,
)

from labkit.system.paths import CHECKOUT
from tests.pace import at_once
from tests.unit.host_calls import BOUND_S, Engine, Started, command, gone, program_info, request, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine to answer to."""
    double = Engine()
    yield double
    double.stop()


@pytest.fixture(scope="module")
def host(engine: Engine) -> Iterator[Started]:
    """One host for all that leave it as it is."""
    with Started(command(engine.address)) as started:
        yield started


def test_it_says_who_it_is(host: Started) -> None:
    """The first calls of every engine."""
    host.ask.Handshake(language_pb2.LanguageHandshakeRequest(), timeout=BOUND_S)
    assert host.ask.GetPluginInfo(empty_pb2.Empty(), timeout=BOUND_S).version == metadata.version("pulumi")


def test_it_names_the_plugins_of_the_installed_sdks(host: Started) -> None:
    """With the versions that the SDKs ask for."""
    asked = language_pb2.GetRequiredPackagesRequest(info=program_info(CHECKOUT, virtualenv=sys.prefix))
    packages = host.ask.GetRequiredPackages(asked, timeout=BOUND_S).packages
    expected = {(name, "resource", metadata.version(f"pulumi-{name}")) for name in ("docker", "libvirt")}
    assert {(found.name, found.kind, found.version) for found in packages} == expected


def test_what_it_has_no_use_for_is_answered(host: Started) -> None:
    """`pulumi new` gets an answer, code generation a clear refusal."""
    host.ask.RuntimeOptionsPrompts(language_pb2.RuntimeOptionsRequest(), timeout=BOUND_S)
    with pytest.raises(grpc.RpcError) as caught:
        host.ask.GenerateProgram(language_pb2.GenerateProgramRequest(), timeout=BOUND_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("program", "shown", "error"),
    [
        ("raise ValueError('broken')", "ValueError: broken", ""),
        ("this is no Python", "SyntaxError", ""),
        ("import pulumi\nraise pulumi.RunError('told')", "told", "The program exited with status 1"),
        ("import pulumi, sys\npulumi.log.error('told')\nsys.exit(32)", "told", ""),
        ("import sys\nsys.exit(3)", "", "The program exited with status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "", "The program was ended by SIGKILL"),
    ],
)
def test_a_program_that_fails(  # noqa: PLR0917 - fixtures and cases
    host: Started, engine: Engine, tmp_path: Path, program: str, shown: str, error: str
) -> None:
    """It bails where the program has shown its error itself, else it says what became of it."""
    engine.shown.clear()
    answer = host.ask.Run(request(tmp_path, program, engine), timeout=BOUND_S)
    assert (answer.error, answer.bail) == (error, not error)
    assert len(engine.shown) == bool(shown)
    assert shown in "".join(engine.shown)


def test_a_program_that_succeeds(host: Started, engine: Engine, tmp_path: Path) -> None:
    """It gets its configuration, its folder, its names and its arguments; a path with a space is fine."""
    folder = tmp_path / "with space"
    folder.mkdir()
    program = """
import os, sys, pulumi
pulumi.export("key", pulumi.Config().get("key"))
pulumi.export("names", [pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.is_dry_run()])
pulumi.export("place", [os.getcwd(), sys.argv, __name__])
"""
    answer = host.ask.Run(request(folder, program, engine), timeout=BOUND_S)
    assert (answer.error, answer.bail) == ("", False)
    assert list(engine.outputs["names"]) == ["p", "s", True]
    place, words, name = engine.outputs["place"]
    assert (place, list(words), name) == (str(folder), ["prog.py"], "__main__")


ENDLESS = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_its_program_too(engine: Engine, tmp_path: Path, number: signal.Signals) -> None:
    """The engine waits 5 s for it at the end of every command."""
    with Started(command(engine.address)) as started:
        call = started.ask.Run.future(request(tmp_path, ENDLESS, engine))
        pid = int(wait_for(tmp_path / "pid"))
        with at_once(1):
            started.process.send_signal(number)
            assert started.process.wait(BOUND_S) == 0
        assert gone(pid)
        call.cancel()


def test_nothing_is_left_when_the_engine_is_killed(engine: Engine, tmp_path: Path) -> None:
    """A stand-in for the engine starts the host and is killed."""
    starter = f"import subprocess, time; subprocess.Popen({command(engine.address)!r}); time.sleep(600)"
    with Started([sys.executable, "-c", starter]) as started:
        call = started.ask.Run.future(request(tmp_path, ENDLESS, engine))
        pid = int(wait_for(tmp_path / "pid"))
        started.process.kill()
        assert gone(pid)
        call.cancel()
