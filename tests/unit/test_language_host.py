"""Our Python language host, started as the engine starts it, asked as the engine asks."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped] # ships no types
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from labkit.paths import CHECKOUT

HOST = CHECKOUT / "toolchain" / "language_host.py"
BOUND_S = 10


class Engine(engine_pb2_grpc.EngineServicer, resource_pb2_grpc.ResourceMonitorServicer):
    """As much of an engine as a program without resources meets."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.outputs: dict[str, Any] = {}
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.severity == engine_pb2.ERROR:
            self.shown.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return engine_pb2.GetRootResourceResponse()

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return engine_pb2.SetRootResourceResponse()

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return resource_pb2.SupportsFeatureResponse(hasSupport=False)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:s::p::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self.outputs = dict(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return empty_pb2.Empty()

    def stop(self) -> None:
        """End it."""
        self._server.stop(0).wait()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine to answer to."""
    double = Engine()
    yield double
    double.stop()


class Started:
    """A host process and a stub that speaks to it; killed at the end of the block."""

    def __init__(self, words: list[str]) -> None:
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def __enter__(self) -> Started:
        assert self.process.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")
        self.ask: Any = language_pb2_grpc.LanguageRuntimeStub(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=BOUND_S)


def command(address: str) -> list[str]:
    """The host's command line, as the engine gives it."""
    return [sys.executable, "-u", str(HOST), address]


@pytest.fixture(scope="module")
def host(engine: Engine) -> Iterator[Started]:
    """One host for all that leave it as it is."""
    with Started(command(engine.address)) as started:
        yield started


def request(folder: Path, program: str, engine: Engine) -> Any:
    """A Run of this program."""
    (folder / "prog.py").write_text(program)
    return language_pb2.RunRequest(
        project="p",
        stack="s",
        pwd=str(folder),
        dryRun=True,
        parallel=4,
        monitor_address=engine.address,
        config={"p:key": "value"},
        configSecretKeys=["p:key"],
        info=language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point="prog.py"),
    )


def test_it_says_who_it_is(host: Started) -> None:
    """The first calls of every engine, and those of `pulumi about`."""
    host.ask.Handshake(language_pb2.LanguageHandshakeRequest(), timeout=BOUND_S)
    assert host.ask.GetPluginInfo(empty_pb2.Empty(), timeout=BOUND_S).version == metadata.version("pulumi")
    about = host.ask.About(language_pb2.AboutRequest(), timeout=BOUND_S)
    assert (about.executable, about.version) == (sys.executable, sys.version.split()[0])


def test_it_names_the_plugins_of_the_installed_sdks(host: Started) -> None:
    """With the versions that the SDKs ask for, to engines old and new."""
    packages = host.ask.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=BOUND_S).packages
    plugins = host.ask.GetRequiredPlugins(language_pb2.GetRequiredPluginsRequest(), timeout=BOUND_S).plugins
    expected = {(name, "resource", metadata.version(f"pulumi-{name}")) for name in ("docker", "libvirt")}
    assert {(found.name, found.kind, found.version) for found in packages} == expected
    assert {(found.name, found.kind, found.version) for found in plugins} == expected


def test_it_lists_dependencies(host: Started, tmp_path: Path) -> None:
    """Direct ones are those that requirements.in names."""
    (tmp_path / "requirements.in").write_text("# a comment\npulumi==3\nPulumi_Docker\n")
    asked = language_pb2.GetProgramDependenciesRequest(info=language_pb2.ProgramInfo(root_directory=str(tmp_path)))
    direct = host.ask.GetProgramDependencies(asked, timeout=BOUND_S).dependencies
    assert {found.name: found.version for found in direct} == {
        name: metadata.version(name) for name in ("pulumi", "pulumi-docker")
    }
    asked.transitiveDependencies = True
    every = {found.name for found in host.ask.GetProgramDependencies(asked, timeout=BOUND_S).dependencies}
    assert {"pulumi", "grpcio", "dill"} <= every


def test_what_it_has_no_use_for_is_answered(host: Started) -> None:
    """`pulumi install` and `pulumi new` get an answer, code generation a clear refusal."""
    said = host.ask.InstallDependencies(language_pb2.InstallDependenciesRequest(), timeout=BOUND_S)
    assert b"./lab setup" in b"".join(part.stdout for part in said)
    host.ask.RuntimeOptionsPrompts(language_pb2.RuntimeOptionsRequest(), timeout=BOUND_S)
    with pytest.raises(grpc.RpcError) as caught:
        host.ask.GenerateProgram(language_pb2.GenerateProgramRequest(), timeout=BOUND_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("program", "shown", "error"),
    [
        ("raise ValueError('broken')", "ValueError: broken", ""),
        ("this is no Python", "SyntaxError", ""),
        ("import pulumi\nraise pulumi.RunError('told')", "told", ""),
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
    assert (answer.error, answer.bail) == (error, bool(shown))
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
    assert (place, list(words), name) == (str(folder), [str(folder / "prog.py")], "__main__")


def wait_for(file: Path) -> str:
    """What a program has written, once it has."""
    deadline = time.monotonic() + BOUND_S
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{file} was not written")


def gone(pid: int) -> bool:
    """Whether a process ends within 3 s."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if re.search(r"\) Z ", Path(f"/proc/{pid}/stat").read_text()):
            return True
        time.sleep(0.02)
    return False


ENDLESS = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_its_program_too(engine: Engine, tmp_path: Path, number: signal.Signals) -> None:
    """The engine waits 5 s for it at the end of every command."""
    with Started(command(engine.address)) as started:
        call = started.ask.Run.future(request(tmp_path, ENDLESS, engine))
        pid = int(wait_for(tmp_path / "pid"))
        begin = time.monotonic()
        started.process.send_signal(number)
        assert started.process.wait(BOUND_S) == 0
        assert time.monotonic() - begin < 1
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
