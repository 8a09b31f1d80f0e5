"""Python language host: tells Pulumi's engine how to run a Python program (pulumirpc.LanguageRuntime).

The engine starts it with its own address as the last argument, and reads the port that we serve on from the first
line of our output. It comes with the official CLI, but with no Go module, so the built toolchain has this one.
It runs programs with the Python that runs itself: the checkout's .venv, see labkit/toolchain.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

# In place of this folder, so that none of its names hides an installed module.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from toolchain import lifeline

RUNNER = Path(__file__).resolve().with_name("program_runner.py")
SHOWED_THE_ERROR = 32
"""As in program_runner.py, which is not imported here: it would load the whole SDK."""

_THREADS = 8
_MESSAGE_BYTES = 400 * 1024 * 1024
"""Largest message, as the SDK and the engine have it."""


class Programs:
    """The programs under way, so that they can be ended with us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.ended = False

    def run(self, command: list[str], *, env: dict[str, str], cwd: str) -> int | None:
        """Run one to its end; its exit status, or None if it was ended from here."""
        with self._lock:
            if self.ended:
                return None
            process = subprocess.Popen(command, env=env, cwd=cwd)
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.discard(process)
            return None if self.ended else status

    def end(self) -> None:
        """End all, now, and start no more: the engine has given up on them."""
        with self._lock:
            self.ended = True
            for process in self._running:
                process.kill()


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine."""

    def __init__(self, engine_address: str, programs: Programs) -> None:
        self._engine_address = engine_address
        self._programs = programs

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the protocol's names, here and below
        """Nothing to agree on."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Version of this host: that of the SDK it was written for."""
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """The plugins that the installed SDKs ask for."""
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=plugin["name"], kind="resource", version=plugin["version"], server=plugin.get("server", "")
                )
                for plugin in _plugins()
            ]
        )

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """The same for engines from before packages."""
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(
                    name=plugin["name"], kind="resource", version=plugin["version"], server=plugin.get("server", "")
                )
                for plugin in _plugins()
            ]
        )

    def Run(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Run the program; `bail` says that it has shown its error."""
        info = request.info
        program = Path(info.program_directory, info.entry_point)
        flags = {
            "--monitor": request.monitor_address,
            "--engine": self._engine_address,
            "--project": request.project,
            "--stack": request.stack,
            "--pwd": request.pwd,
            "--dry_run": "true" if request.dryRun else "false",
            "--parallel": str(request.parallel),
            "--organization": request.organization or "organization",
            "--root_directory": info.root_directory,
        }
        command = [sys.executable, "-u", str(RUNNER)]
        command += [f"{flag}={value}" for flag, value in flags.items()]
        command += ["--", str(program), *request.args]
        env = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        try:
            status = self._programs.run(command, env=env, cwd=request.pwd)
        except OSError as error:
            return language_pb2.RunResponse(error=f"The program could not be started: {error}")
        if status is None or status == SHOWED_THE_ERROR:
            return language_pb2.RunResponse(bail=True)
        if status < 0:
            return language_pb2.RunResponse(error=f"The program was ended by {signal.Signals(-status).name}")
        return language_pb2.RunResponse(error=f"The program exited with status {status}" if status else "")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """The engine is about to stop us."""
        self._programs.end()
        return empty_pb2.Empty()

    def About(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """For `pulumi about`."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Installed distributions: all, or those that the project's requirements.in names."""
        installed = {_normal(found.name): found.version for found in metadata.distributions()}
        asked = Path(request.info.root_directory, "requirements.in")
        if not request.transitiveDependencies and asked.is_file():
            names = {_normal(found[0]) for line in asked.read_text().splitlines() if (found := _NAME.match(line))}
            installed = {name: version for name, version in installed.items() if name in names}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version) for name, version in sorted(installed.items())
            ]
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        """For `pulumi install`: they are there, or this process would not be."""
        yield language_pb2.InstallDependenciesResponse(stdout=b"The Python packages come with ./lab setup.\n")

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Nothing to ask for `pulumi new`."""
        return language_pb2.RuntimeOptionsResponse()

    def Template(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Nothing to fill in for `pulumi new`."""
        return language_pb2.TemplateResponse()

    def _refuse(self, request: Any, context: Any) -> NoReturn:  # noqa: ARG002
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "This Python language host runs programs; it generates no code.")
        raise AssertionError  # abort raises

    RunPlugin = GenerateProgram = GenerateProject = GeneratePackage = Pack = Link = _refuse


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plugins() -> list[dict[str, str]]:
    """What each installed SDK says of its plugin, in its pulumi-plugin.json."""
    found = []
    for folder in {Path(entry) for entry in sys.path if entry.endswith("-packages")}:
        for file in sorted(folder.glob("*/pulumi-plugin.json")):
            plugin = json.loads(file.read_text())
            if plugin.get("resource") and plugin.get("name") and plugin.get("version"):
                found.append(plugin)
    return found


def main() -> None:
    """Serve until the engine ends us (SIGINT, SIGTERM), or dies."""
    programs = Programs()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    lifeline.hold(programs.end)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        options=[("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1], programs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - the protocol
    stop.wait()
    programs.end()
    os._exit(0)  # an orderly end of gRPC's threads takes longer than the engine waits


if __name__ == "__main__":
    main()
