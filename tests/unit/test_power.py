"""The power service and the fencing agent that asks it, against an engine that is played."""

from __future__ import annotations

import importlib.util
import json
import socket
import socketserver
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.served import served

IMAGES = Path(__file__).parents[2] / "images" / "cluster"
LABELS = {"lab": "failover", "checkout": "1a2b", "role": "server"}


def program(name: str) -> Any:
    """A program of the cluster's image, as a module."""
    spec = importlib.util.spec_from_file_location(name, IMAGES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Engine(socketserver.ThreadingUnixStreamServer):
    """Containers by name: labels, and whether they run. `deaf` ones survive a kill."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.containers = {
            "vvc-server-1": [LABELS, True],
            "vvc-server-2": [LABELS, False],
            "vvc-edge": [{**LABELS, "role": "edge"}, True],
            "vvc-other": [{**LABELS, "checkout": "ffff"}, True],
        }
        self.deaf: set[str] = set()
        self.asked: list[str] = []
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    """What of the engine's API the power service uses."""

    server: Engine

    def address_string(self) -> str:
        return "power"

    def log_message(self, *_args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/containers/json"):
            found = [
                {"Names": [f"/{name}"]} for name, (labels, _) in self.server.containers.items() if labels == LABELS
            ]
            self._say(200, found)
            return
        labels, on = self.server.containers.get(self.path.split("/")[2], (None, False))
        if labels is None:
            self._say(404, {"message": "No such container"})
        else:
            self._say(200, {"Config": {"Labels": labels}, "State": {"Running": on}})

    def do_POST(self) -> None:
        _, _, name, verb = self.path.split("/")
        if name not in self.server.containers:
            self._say(404, {"message": "No such container"})
            return
        self.server.asked.append(f"{verb} {name}")
        if name not in self.server.deaf:
            self.server.containers[name][1] = verb == "start"
        self._say(204, None)

    def _say(self, status: int, body: Any) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with served(Engine(tmp_path / "engine")) as server:
        yield server


@pytest.fixture
def power(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service, which asks that engine."""
    module = program("power")
    monkeypatch.setattr(module, "ENGINE", str(tmp_path / "engine"))
    monkeypatch.setattr(module, "OFF_WITHIN_S", 0.2)
    monkeypatch.setenv("VVC_PREFIX", "vvc-")
    monkeypatch.setenv("VVC_LABELS", ",".join(f"{key}={value}" for key, value in LABELS.items()))
    return module


@pytest.fixture
def agent(power: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The fencing agent, which asks that service by its socket."""
    module = program("fence_lab")
    monkeypatch.setattr(module, "SOCKET", str(tmp_path / "power"))
    with served(power.Server(str(tmp_path / "power"), power.Handler)):
        yield module


def test_a_server_is_said_to_be_off_when_it_is(power: Any, engine: Engine) -> None:
    """By its engine, which is asked again after the kill; a dead one need not be killed."""
    assert [power.answer(f"status server-{number}") for number in (1, 2)] == ["on", "off"]
    assert power.answer("off server-1\n") == "off"
    assert power.answer("off server-2") == "off"
    assert engine.asked == ["kill vvc-server-1"]
    assert power.answer("status server-1") == "off"
    assert power.answer("on server-1") == "on"
    assert engine.asked[1:] == ["start vvc-server-1"]
    assert power.answer("list") == "server-1 server-2"
    assert power.answer("off server-9") == "off"
    assert power.answer("on server-9") == "error: the engine refuses: No such container"


def test_one_that_does_not_go_off_is_not_said_to_be_off(power: Any, engine: Engine) -> None:
    """So nothing is started in its place."""
    engine.deaf.add("vvc-server-1")
    assert power.answer("off server-1") == "error: server-1 is still on after 0.2 s"


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ("off edge", "edge is no server of this lab"),
        ("off other", "other is no server of this lab"),
        ("off ../images/x", "no server can be called '../images/x'"),
        ("off server-1/kill?x", "no server can be called 'server-1/kill?x'"),
        ("off", "no server can be called ''"),
        ("remove server-1", "there is status, off, on, list, not 'remove'"),
        ("", "there is status, off, on, list, not ''"),
    ],
)
def test_nothing_else_of_the_engine_is_to_be_had(power: Any, engine: Engine, request_: str, why: str) -> None:
    """Neither what stands beside the servers, nor another lab's, nor another verb."""
    assert power.answer(request_) == f"error: {why}"
    assert engine.asked == []


def test_an_engine_that_is_gone_is_told(power: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not taken for a server that is off."""
    monkeypatch.setattr(power, "ENGINE", str(tmp_path / "nowhere"))
    assert power.answer("off server-1").startswith("error: the engine does not answer: ")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["action=off", "plug=server-1"], 0),
        (["# from the cluster", "action=status\n", "port=server-1\n", "nodename=server-1"], 0),
        (["action=status", "plug=server-2"], 2),
        (["action=reboot", "plug=server-1"], 0),
        (["action=monitor"], 0),
        (["action=list"], 0),
        (["action=off", "plug=edge"], 1),
        (["action=burn", "plug=server-1"], 1),
    ],
)
def test_the_agent_answers_by_its_status(agent: Any, lines: list[str], status: int) -> None:
    """0 done or on, 2 off, 1 failed, as the cluster reads it."""
    assert agent.main(lines) == status


def test_each_request_is_logged_with_its_seconds(agent: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """On the service's standard output."""
    assert agent.main(["action=off", "plug=server-1"]) == 0
    assert " off server-1: off (0." in capfd.readouterr().out


def test_without_the_service_the_agent_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """So the cluster goes on asking."""
    module = program("fence_lab")
    module.SOCKET = str(tmp_path / "nowhere")
    assert module.main(["action=off", "plug=server-1"]) == 1
    assert "FileNotFoundError" in capfd.readouterr().err


def test_a_client_that_says_nothing_does_not_hold_the_service(
    agent: Any, power: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Others are answered meanwhile, and its connection ends."""
    monkeypatch.setattr(power.Handler, "timeout", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(5)
        silent.connect(str(tmp_path / "power"))
        assert agent.main(["action=status", "plug=server-1"]) == 0
        assert silent.recv(1) == b""


def test_what_the_agent_can_do_is_in_its_metadata(capfd: pytest.CaptureFixture[str]) -> None:
    """As the cluster wants to read it."""
    assert program("fence_lab").main(["action=metadata"]) == 0
    root = ElementTree.fromstring(capfd.readouterr().out)  # noqa: S314 - ours
    assert root.get("name") == "fence_lab"
    assert {"off", "on", "status", "monitor", "metadata"} <= {one.get("name") for one in root.iter("action")}
