"""Python language host: tells Pulumi's engine how to run a Python program (pulumirpc.LanguageRuntime).

The engine starts it with its own address as the last argument, and reads the port that we serve on from the first
line of our output. It comes with the official CLI, but with no Go module, so the built toolchain has this one.
It runs programs as the official one does, wherever a program can see it: tests/unit/test_official.py has the table.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import suppress
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
from toolchain.environments import Environment, NoEnvironmentError, install, is_own

RUNNER = Path(__file__).resolve().with_name("program_runner.py")
SHOWED_THE_ERROR = 32
"""As in program_runner.py, which is not imported here: it would load the whole SDK."""

_THREADS = 8
_CANCEL_S = 5.0
"""How long a program has for its end after a Cancel, as with the official host."""
_STOP_S = 0.5
"""When we are stopped ourselves: the engine waits for us."""
_ASK_S = 60
_MESSAGE_BYTES = 400 * 1024 * 1024
"""Largest message, as the SDK and the engine have it."""


class Programs:
    """The programs under way, so that they can be ended with us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def run(self, command: list[str], *, env: dict[str, str], cwd: str) -> int | None:
        """Run one to its end; its exit status, or None if the engine had given up before."""
        with self._lock:
            if self._ended:
                return None
            process = subprocess.Popen(command, env=env, cwd=cwd)
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.discard(process)
        return status

    def end(self, within_s: float = 0) -> None:
        """End all and start no more: by SIGINT, which a program may handle, and those that have not ended by KILL."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running if within_s else ():
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + within_s
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
                continue
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

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The plugins that the program's SDKs ask for. Makes the environment where there is none: the first `up`."""
        environment = _environment(request.info)
        try:
            if environment.to_be_made:
                install(environment, Path(request.info.program_directory), lambda text: print(text, end="", flush=True))  # noqa: T201 - the engine shows it
            plugins = _plugins(_search_path(environment))
        except NoEnvironmentError as error:
            _abort(context, str(error))
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=plugin["name"], kind="resource", version=plugin["version"], server=plugin.get("server", "")
                )
                for plugin in plugins
            ]
        )

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run the program; `bail` says that it has shown its error."""
        info = request.info
        environment = _environment(info)
        try:
            python = environment.python(os.environ)
        except NoEnvironmentError as error:
            _abort(context, str(error))
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
        command = [str(python), "-u", str(RUNNER)]
        command += [f"{flag}={value}" for flag, value in flags.items()]
        command += ["--", info.entry_point, *request.args]
        env = {
            **environment.active(os.environ),
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
        """The engine is about to stop us: the program may say its last words."""
        threading.Thread(target=self._programs.end, args=(_CANCEL_S,), daemon=True).start()
        return empty_pb2.Empty()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """For `pulumi about`: the program's Python, not ours."""
        try:
            python = _environment(request.info).python(os.environ)
        except NoEnvironmentError as error:
            _abort(context, str(error))
        code = "import json, platform, sys; print(json.dumps([sys.executable, platform.python_version()]))"
        executable, version = _asked(python, "-c", code)
        return language_pb2.AboutResponse(executable=executable, version=version)

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Installed packages: all, or those that no other one asks for."""
        words = () if request.transitiveDependencies else ("--not-required",)
        try:
            python = _environment(request.info).python(os.environ)
            listed = _asked(python, "-m", "pip", "list", "--format", "json", *words)
        except NoEnvironmentError as error:
            _abort(context, str(error))
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=_normal(one["name"]), version=one["version"]) for one in listed
            ]
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """For `pulumi install`: the environment, and what requirements.txt in the program's folder asks for."""
        told: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        failed: list[str] = []

        def work() -> None:
            try:
                install(_environment(request.info), Path(request.info.program_directory), told.put)
            except (NoEnvironmentError, OSError) as error:
                failed.append(str(error))
            told.put(None)

        threading.Thread(target=work, daemon=True).start()
        while (text := told.get()) is not None:
            yield language_pb2.InstallDependenciesResponse(stdout=text.encode())
        if failed:
            _abort(context, failed[0])

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


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _environment(info: Any) -> Environment:
    return Environment.of(
        dict(info.options).get("virtualenv", "") if info.HasField("options") else "", info.root_directory
    )


def _abort(context: Any, why: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, why)
    raise AssertionError  # abort raises


def _asked(python: Path, *words: str) -> Any:
    """The JSON that a Python prints. Raises NoEnvironmentError when it prints none."""
    try:
        done = subprocess.run([python, *words], capture_output=True, timeout=_ASK_S, check=True)
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NoEnvironmentError(f"{python} does not work ({error}). Make the environment anew: ./lab setup") from error


def _search_path(environment: Environment) -> list[str]:
    python = environment.python(os.environ)
    if is_own(python):
        return sys.path
    found: list[str] = _asked(python, "-c", "import json, sys; print(json.dumps(sys.path))")
    return found


def _plugins(search_path: list[str]) -> list[dict[str, str]]:
    """What each SDK that is installed there says of its plugin, in its pulumi-plugin.json."""
    found = []
    for folder in {Path(entry) for entry in search_path if entry.endswith("-packages")}:
        for file in sorted(folder.glob("*/pulumi-plugin.json")):
            plugin = json.loads(file.read_text(encoding="utf-8"))
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
    programs.end(_STOP_S)
    os._exit(0)  # an orderly end of gRPC's threads takes longer than the engine waits


if __name__ == "__main__":
    main()
