"""Starts our Python language host as the engine starts it, and asks as the engine asks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped] # ships no types
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from labkit.system.paths import CHECKOUT
from labkit.system.processes import alive
from labkit.system.waiting import until

HOST = CHECKOUT / "toolchain" / "language_host.py"
BOUND_S = 60


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


class Started:
    """A host process and a stub that speaks to it; killed at the end of the block."""

    def __init__(self, words: list[str]) -> None:
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, start_new_session=True, encoding="utf-8"
        )

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


def request(folder: Path, program: str, engine: Engine) -> Any:
    """A Run of this program."""
    (folder / "prog.py").write_text(program, encoding="utf-8")
    return language_pb2.RunRequest(
        project="p",
        stack="s",
        pwd=str(folder),
        dryRun=True,
        parallel=4,
        monitor_address=engine.address,
        config={"p:key": "value"},
        configSecretKeys=["p:key"],
        info=program_info(folder, "prog.py", virtualenv=sys.prefix),
    )


def program_info(root: Path, entry: str = ".", program: Path | None = None, virtualenv: str = "") -> Any:
    """What the engine says of a program: where it lies, and the options of Pulumi.yaml."""
    options = struct_pb2.Struct()
    options.update({"virtualenv": virtualenv} if virtualenv else {})
    return language_pb2.ProgramInfo(
        root_directory=str(root), program_directory=str(program or root), entry_point=entry, options=options
    )


def wait_for(file: Path) -> str:
    """What a program has written, once it has."""
    text = until(lambda: file.read_text(encoding="utf-8") if file.exists() else "", BOUND_S, 0.02)
    assert text, f"{file} was not written"
    return text


def gone(pid: int) -> bool:
    """Whether a process ends, within a bound."""
    return until(lambda: not alive(pid), BOUND_S, 0.02)
