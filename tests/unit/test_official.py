"""What a program and its dynamic resources can see of the official Python tools, each row held against ours.

The rows were read off the official tools 3.259.0 and tried with them. What passes with ours passes with those.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped] # ships no types
from pulumi.runtime.proto import language_pb2

from labkit.setup.tools import check
from labkit.system.paths import CHECKOUT
from tests.unit.host_calls import BOUND_S, Engine, Started, command, gone, program_info, request, wait_for
from toolchain.environments import Environment, steps

PROVIDER = CHECKOUT / "toolchain" / "dynamic_provider.py"

OFFICIAL = {
    "program, place": "it runs in the folder that the engine names; its name is the entry point as it is given",
    "program, imports": "its own folder stands first among the places of imports, the host's own nowhere",
    "program, environment": "`virtualenv` is relative to the project's root, wherever the program lies, and is active",
    "program, no such environment": "the call fails, naming the folder and what makes it",
    "program, no virtualenv": "PULUMI_PYTHON_CMD, else python3 of the PATH",
    "program, exit status": "32: it has said why; any other: told as a failure; RunError: 1",
    "program, cancelled": "SIGINT, which it may handle; after 5 s KILL",
    "provider, environment": "PULUMI_RUNTIME_VIRTUALENV joined to its working folder; there is none: exit status 1",
    "provider, imports": "from its working folder",
    "engine, options": "handed on as they are written in Pulumi.yaml",
    "engine, working folder of plugins": "the folder of the program, else the project's root",
    "install": "the environment, pip, then requirements.txt of the program's folder, from there",
    "first up": "makes the environment where there is none or an empty folder, and leaves any other",
    "about": "the program's Python, and the packages that no other one asks for",
}

Test = Callable[..., None]
SHOWN: set[str] = set()


pytestmark = pytest.mark.slow


def row(name: str) -> Callable[[Test], Test]:
    """The test shows this row."""
    SHOWN.add(name)
    return lambda test: test


def test_every_row_has_its_test() -> None:
    """And none of the tests is about nothing."""
    assert set(OFFICIAL) == SHOWN


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine to answer to."""
    double = Engine()
    yield double
    double.stop()


@pytest.fixture(scope="module")
def host(engine: Engine) -> Iterator[Started]:
    """One host for all."""
    with Started(command(engine.address)) as started:
        yield started


def make_environment(folder: Path) -> Path:
    """A virtual environment with this one's packages, at no cost."""
    own = Path(sys.prefix)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    shutil.copy(own / "pyvenv.cfg", folder)
    (folder / "lib").symlink_to(own / "lib")
    return folder


LOOK = """
import json, os, pathlib, sys
seen = {"cwd": os.getcwd(), "argv": sys.argv, "path": sys.path, "prefix": sys.prefix,
        "env": {key: os.environ.get(key) for key in ("VIRTUAL_ENV", "PATH", "PYTHONHOME")}}
pathlib.Path("seen.json").write_text(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(host: Started, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The project's root, and what a program in a folder below it sees."""
    root = tmp_path_factory.mktemp("a project")
    program = root / "below"
    program.mkdir()
    make_environment(root / "env")
    (program / "__main__.py").write_text(LOOK, encoding="utf-8")
    asked = request(program, "", engine)
    asked.info.CopyFrom(program_info(root, ".", program, virtualenv="env"))
    answer = host.ask.Run(asked, timeout=BOUND_S)
    assert (answer.error, answer.bail) == ("", False)
    return root, json.loads((program / "seen.json").read_text(encoding="utf-8"))


@row("program, place")
def test_place(seen: tuple[Path, dict[str, Any]]) -> None:
    """Working folder and name."""
    root, told = seen
    assert (told["cwd"], told["argv"][0]) == (str(root / "below"), ".")


@row("program, imports")
def test_imports(seen: tuple[Path, dict[str, Any]]) -> None:
    """The checkout is there only by the .pth that ./lab puts into its own environment."""
    root, told = seen
    first, *others = told["path"]
    assert Path(root / "below", first).resolve() == root / "below"
    assert str(CHECKOUT / "toolchain") not in others


@row("program, environment")
def test_environment(seen: tuple[Path, dict[str, Any]]) -> None:
    """The root's, not the program's folder's nor the host's own."""
    root, told = seen
    assert told["prefix"] == told["env"]["VIRTUAL_ENV"] == str(root / "env")
    assert told["env"]["PATH"].split(os.pathsep)[0] == str(root / "env" / "bin")
    assert told["env"]["PYTHONHOME"] is None


@row("program, no such environment")
def test_no_such_environment(host: Started, engine: Engine, tmp_path: Path) -> None:
    """Nothing is run with another Python instead."""
    asked = request(tmp_path, "", engine)
    asked.info.CopyFrom(program_info(tmp_path, "prog.py", virtualenv="gone"))
    with pytest.raises(grpc.RpcError) as caught:
        host.ask.Run(asked, timeout=BOUND_S)
    assert f"{tmp_path}/gone, which does not exist. Make it: pulumi install" in caught.value.details()


@row("program, no virtualenv")
def test_no_virtualenv(tmp_path: Path) -> None:
    """By name, from the PATH."""
    for name in ("python3", "other"):
        (tmp_path / name).write_text("", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": str(tmp_path)}
    assert Environment.of("", tmp_path).python(variables) == tmp_path / "python3"
    assert Environment.of("", tmp_path).python({**variables, "PULUMI_PYTHON_CMD": "other"}) == tmp_path / "other"
    assert Environment.of("", tmp_path).active(variables) == variables


@row("program, exit status")
@pytest.mark.parametrize(
    ("program", "error", "bail"),
    [
        ("import sys\nsys.exit(32)", "", True),
        ("import sys\nsys.exit(2)", "The program exited with status 2", False),
        ("import pulumi\nraise pulumi.RunError('no')", "The program exited with status 1", False),
    ],
    ids=["32", "2", "RunError"],
)
def test_exit_status(  # noqa: PLR0917 - fixtures and cases
    host: Started, engine: Engine, tmp_path: Path, program: str, error: str, bail: bool
) -> None:
    """`bail` keeps the engine from adding a word."""
    answer = host.ask.Run(request(tmp_path, program, engine), timeout=BOUND_S)
    assert (answer.error, answer.bail) == (error, bail)


HANDLES = """
import os, pathlib, signal, sys, time
def end(*_):
    pathlib.Path('ended').write_text('by SIGINT')
    os._exit(32)
signal.signal(signal.SIGINT, end if {handle} else signal.SIG_IGN)
pathlib.Path('pid').write_text(str(os.getpid()))
time.sleep(600)
"""


@row("program, cancelled")
@pytest.mark.parametrize("handle", [True, False])
def test_cancelled(engine: Engine, tmp_path: Path, handle: bool) -> None:
    """It ends at once by its own handler, or else by force."""
    with Started(command(engine.address)) as started:
        call = started.ask.Run.future(request(tmp_path, HANDLES.format(handle=handle), engine))
        pid = int(wait_for(tmp_path / "pid"))
        started.ask.Cancel(empty_pb2.Empty(), timeout=BOUND_S)
        answer = call.result(timeout=BOUND_S)
        assert gone(pid)
    assert (answer.bail, (tmp_path / "ended").exists()) == (handle, handle)
    assert answer.error == ("" if handle else "The program was ended by SIGKILL")


def provide(folder: Path, virtualenv: str) -> tuple[int | None, str]:
    """Start the provider in a folder; its exit status, if it ends, and its first line."""
    env = {**os.environ, "PULUMI_RUNTIME_VIRTUALENV": virtualenv}
    with subprocess.Popen(
        [sys.executable, "-u", PROVIDER, "127.0.0.1:1"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        line = (process.stdout.readline() if process.stdout else "").strip()
        if line.isdigit():
            os.killpg(process.pid, signal.SIGKILL)
            return None, line
        return process.wait(BOUND_S), line


@row("provider, environment")
def test_provider_environment(tmp_path: Path) -> None:
    """What Pulumi.yaml says is joined to where the engine starts the provider: in a folder below it does not start."""
    make_environment(tmp_path / "env")
    (tmp_path / "below").mkdir()
    status, line = provide(tmp_path, "env")
    assert status is None
    assert line.isdigit()
    status, line = provide(tmp_path / "below", "env")
    assert (status, f"{tmp_path}/below/env, which does not exist" in line) == (1, True)


@row("provider, imports")
def test_provider_imports(tmp_path: Path) -> None:
    """The module that serves is found there first: here one that says so."""
    make_environment(tmp_path / "env")
    (tmp_path / "pulumi").mkdir()
    (tmp_path / "pulumi" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "pulumi" / "dynamic.py").write_text("print('found here')\nraise SystemExit(7)", encoding="utf-8")
    assert provide(tmp_path, "env") == (7, "found here")


@row("engine, options")
def test_options_are_handed_on_as_written() -> None:
    """What ./lab doctor starts the provider with."""
    project = {"runtime": {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}}
    assert check.options(project) == {
        "PULUMI_RUNTIME_TOOLCHAIN": "pip",
        "PULUMI_RUNTIME_VIRTUALENV": ".venv",
    }
    assert check.options({"runtime": "python"}) == {}


@row("engine, working folder of plugins")
def test_working_folder_of_plugins(tmp_path: Path) -> None:
    """`main` may name a file or a folder."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__main__.py").write_text("", encoding="utf-8")
    folders = {main: check.program_folder({"main": main}, tmp_path) for main in ("infra", "infra/__main__.py")}
    assert set(folders.values()) == {tmp_path / "infra"}
    assert check.program_folder({}, tmp_path) == tmp_path


@row("install")
def test_install(tmp_path: Path) -> None:
    """Requirements of the root are none of a program that lies elsewhere."""
    (tmp_path / "requirements.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "below").mkdir()
    environment = Environment.of(".venv", tmp_path)
    ran = [" ".join(words[1:]) for _, words in steps(environment, tmp_path, os.environ)]
    assert ran == [
        f"-m venv {tmp_path}/.venv",
        "-m pip install --upgrade pip setuptools wheel",
        "-m pip install -r requirements.txt",
    ]
    assert len(steps(environment, tmp_path / "below", os.environ)) == 2


@row("first up")
def test_first_up(tmp_path: Path) -> None:
    """An environment that something has begun is not its to mend."""
    environment = Environment.of("env", tmp_path)
    found = [environment.to_be_made]
    (tmp_path / "env").mkdir()
    found.append(environment.to_be_made)
    (tmp_path / "env" / "file").write_text("", encoding="utf-8")
    found.append(environment.to_be_made)
    assert found == [True, True, False]
    assert not Environment.of("", tmp_path).to_be_made


@row("about")
def test_about(host: Started, tmp_path: Path) -> None:
    """Not the host's."""
    make_environment(tmp_path / "env")
    info = program_info(tmp_path, virtualenv="env")
    told = host.ask.About(language_pb2.AboutRequest(info=info), timeout=BOUND_S)
    assert (told.executable, told.version) == (str(tmp_path / "env/bin/python"), sys.version.split()[0])
    asked = language_pb2.GetProgramDependenciesRequest(info=info)
    direct = {one.name for one in host.ask.GetProgramDependencies(asked, timeout=BOUND_S).dependencies}
    assert "pulumi-docker" in direct
    assert "dill" not in direct
