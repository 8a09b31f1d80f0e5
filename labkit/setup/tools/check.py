"""Does the dynamic provider of a toolchain start? Playbooks run in it: one that does not fails `up` half-way.

It is started as Pulumi's engine starts it: in the program's folder, with the options of Pulumi.yaml, and is to name
the port on which it serves.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from infra.environment import for_pulumi
from labkit.setup.tools.toolchain import Toolchain
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT, STATE, VENV

PROVIDER = "pulumi-resource-pulumi-python"
_START_S = 60.0
_END_S = 5.0
_NOBODY = "127.0.0.1:1"
"""The engine's address, which a provider asks only when it has work to do."""


def ensure(tools: Toolchain) -> None:
    """Raise LabError when the dynamic provider does not start. One that did is asked again after a change only."""
    stamp = STATE / "provider-started"
    key = _key(tools)
    with suppress(OSError):
        if stamp.read_text(encoding="utf-8") == key:
            return
    why = problem(tools)
    if why:
        raise LabError(why, hint=hint(tools))
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key, encoding="utf-8")


def problem(tools: Toolchain, checkout: Path = CHECKOUT, bound_s: float = _START_S) -> str:
    """Why the dynamic provider of this toolchain does not start; "" if it does."""
    script = provider(tools)
    if script is None:
        return f"{tools.pulumi} comes without {PROVIDER}, in which playbooks run"
    project = yaml.safe_load((checkout / "Pulumi.yaml").read_text(encoding="utf-8"))
    own = {**tools.env, "PATH": _path(tools), **options(project)}
    said = _first_line(script, program_folder(project, checkout), own, bound_s)
    if said.isdigit():
        return ""
    return f"{script} does not start: {said or f'no word within {bound_s:.0f} s'}"


def hint(tools: Toolchain) -> str:
    """What to do about a provider that does not start."""
    if tools.origin == "path":
        return f"Update {tools.pulumi}, or take it off the PATH: ./lab setup then brings one"
    return "rm -r .venv; then: ./lab setup"


def provider(tools: Toolchain) -> Path | None:
    """The dynamic provider that the engine takes: one on the PATH, else the one beside the CLI."""
    found = shutil.which(PROVIDER, path=_path(tools))
    if found is not None:
        return Path(found)
    beside = tools.pulumi.resolve().with_name(PROVIDER)
    return beside if beside.is_file() else None


def program_folder(project: Mapping[str, Any], checkout: Path) -> Path:
    """Where the engine starts plugins: in the folder of the program."""
    program = Path(checkout, project.get("main", ""))
    return program if program.is_dir() else program.parent


def options(project: Mapping[str, Any]) -> dict[str, str]:
    """The runtime's options, as the engine hands them on: as they are written."""
    runtime = project["runtime"]
    given = runtime.get("options") or {} if isinstance(runtime, dict) else {}
    return {f"PULUMI_RUNTIME_{name.upper()}": str(value) for name, value in given.items()}


def _path(tools: Toolchain) -> str:
    return os.pathsep.join([*map(str, tools.path_dirs), str(VENV / "bin"), os.environ.get("PATH", os.defpath)])


def _key(tools: Toolchain) -> str:
    """Changes with whatever may keep a provider from starting."""
    files = (provider(tools), tools.pulumi, CHECKOUT / "Pulumi.yaml", *sorted(VENV.glob("*.stamp")), VENV / "checkout")
    told = [f"{file} {file.stat().st_mtime_ns}" for file in files if file is not None and file.exists()]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _first_line(script: Path, folder: Path, own: dict[str, str], bound_s: float) -> str:
    """The first line that it prints, or its last one when it ends without."""
    try:
        process = subprocess.Popen(
            [script, _NOBODY],
            cwd=folder,
            env={**for_pulumi(os.environ), **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            encoding="utf-8",
            start_new_session=True,
        )
    except OSError as error:
        return str(error)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    ended = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.strip())
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        said = lines.get(timeout=bound_s)
        if not said.isdigit() and ended.wait(_END_S):
            told = [said, *(lines.get_nowait() for _ in range(lines.qsize()))]
            said = next((line for line in told if line), "")
    except queue.Empty:
        said = ""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_END_S)
        reader.join(_END_S)
        if process.stdout is not None:
            process.stdout.close()
    return said
