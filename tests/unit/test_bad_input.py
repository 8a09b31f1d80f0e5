"""Engines that cannot be used, by a stand-in at a Unix socket: the exact message, and nothing is tried further."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.machine import Machine
from labkit.lifecycle import servers
from labkit.system import errors
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from tests.unit.served import served

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.slow


class _Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, version: dict[str, str], calls: int) -> None:
        self.version, self.calls = version, calls
        super().__init__(str(path), _Answers)


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers `calls` requests; then it hangs up, as an engine that is stopped does."""

    server: _Engine

    def do_GET(self) -> None:
        if self.server.calls <= 0:
            self.close_connection = True
            return
        self.server.calls -= 1
        body = json.dumps({**self.server.version, "Driver": "overlay2", "CgroupVersion": "1"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None: ...


@contextmanager
def engine(folder: Path, newest: str, oldest: str, calls: int = 1000) -> Iterator[str]:
    """URL of a stand-in that speaks these versions of the API."""
    version = {"Version": "99.0", "ApiVersion": newest, "MinAPIVersion": oldest}
    with served(_Engine(folder / "docker.sock", version, calls)):
        yield f"unix://{folder / 'docker.sock'}"


def tool(*words: str, docker_host: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labkit", *words],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": docker_host},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("newest", "oldest", "problem"),
    [
        ("1.24", "1.12", "its API 1.24 is older than 1.40"),
        ("1.90", "1.80", "its API begins at 1.80; we know it up to 1.52"),
    ],
)
def test_an_engine_of_another_age_is_refused(tmp_path: Path, newest: str, oldest: str, problem: str) -> None:
    """By doctor, which ends with 1, as `up` could not work."""
    with engine(tmp_path, newest, oldest) as host:
        done = tool("doctor", "--json", docker_host=host)
    check = next(check for check in json.loads(done.stdout) if check["name"] == "Docker Engine")
    assert done.returncode == 1
    assert check["found"] == f"Docker Engine 99.0 at {host}: {problem}"
    assert (check["ok"], check["needed"], check["hint"]) == (False, True, "use Docker 20.10 to 29")


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = tool("doctor", "--json", docker_host=f"unix://{tmp_path}/none.sock")
    check = next(check for check in json.loads(done.stdout) if check["name"] == "Docker Engine")
    assert done.returncode == 1
    assert check["found"] == f"DOCKER_HOST=unix://{tmp_path}/none.sock is set, and no Docker Engine answers there."
    assert check["hint"] == "unset DOCKER_HOST"


def test_no_permission_is_named() -> None:
    """As an account to whom the socket is closed; root becomes nobody for it."""
    program = (
        "import os, sys, docker, requests\n"
        "from labkit.setup.docker import engine\n"
        "from labkit.system.errors import LabError\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try:\n    engine.connect()\n"
        "except LabError as error:\n    print(error.problem, error.hint, sep='|')\n"
    )
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder), "1.41", "1.12") as host:
        Path(folder).chmod(0o755)
        Path(folder, "docker.sock").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "DOCKER_HOST": host},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            encoding="utf-8",
        )
    path = host.removeprefix("unix://")
    assert done.stdout.startswith(f"You may not use the Docker Engine at {path}.|sudo usermod -aG docker"), done.stderr


@pytest.mark.parametrize("calls", [0, 1])
def test_an_engine_that_stops_midway_is_one_message(tmp_path: Path, calls: int) -> None:
    """Before the first answer and after it: no traceback."""
    with engine(tmp_path, "1.41", "1.12", calls) as host:
        machine = Machine(1, str(ROOT), host, "20.10", 1, "/run/x", "0:0", "tcg", "", "i", "/g", "d", "/c", "d")
        with pytest.raises(LabError) as refused, servers.engine(machine) as client:
            servers.of(client, "deployment")
    assert refused.value.problem == f"The Docker Engine at {host} does not answer."
    assert refused.value.hint == "./lab setup"


def test_a_full_disk_is_the_next_step_whatever_ran() -> None:
    """A program says it its own way; the hint is ours."""
    outcome = Outcome(("tar", "x"), 2, "tar: write error: No space left on device\n", 1.0)
    error = errors.CommandError(outcome, hint="see the manual")
    assert error.hint.startswith("the disk is full: free some space, or put the caches elsewhere")
    assert errors.CommandError(Outcome(("false",), 1, "", 0.1), hint="see the manual").hint == "see the manual"
