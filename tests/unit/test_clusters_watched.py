"""How a lab's clusters stand and what has happened to them, as `./lab watch` and `./lab status` tell it."""

from __future__ import annotations

import dataclasses
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from labkit.commands import status, watch
from labkit.lifecycle import inside, servers, serving, steady
from labkit.measure import clusters, edge, faults
from labkit.measure.clusters import Event, Look, happened
from labkit.measure.edge import Switch
from labkit.measure.faults import Target
from labkit.measure.testing import FakeLab
from labkit.report import live_view
from labkit.report.live import LiveStream, View
from labkit.sides import where
from labkit.system.errors import CommandError, LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet
from tests.unit.test_clusters import SERVERS, TASK, VM

NAMES = [f"server-{number}" for number in range(1, 7)]
WHOLE = Look(
    100.0,
    dict.fromkeys(NAMES, "running"),
    dict.fromkeys(("edge", "power", "registry"), "running"),
    {"container": NAMES[3:], "vm": NAMES[:3]},
    {"container": "server-4", "vm": "server-2"},
    {"container-1": ["server-5"], "vm-1": ["server-1"]},
    {"container-1": "container", "vm-1": "vm"},
)
UNFENCED = "no server can be fenced, and so no VM started elsewhere"
KILLED = Target("server-killed", "vm", ("server-1",))


def later(**changes: Any) -> Look:
    """A second after WHOLE."""
    return dataclasses.replace(WHOLE, at_s=101.0, **changes)


CASES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "struck": ({"fault": KILLED}, ("", "struck: the fault server-killed on the side vm (server-1)")),
    "dead": ({"servers": {**WHOLE.servers, "server-1": "exited"}}, ("vm", "server-1 is dead (exited)")),
    "gone": (
        {"servers": {name: "running" for name in NAMES if name != "server-6"}},
        ("container", "server-6 is dead (gone)"),
    ),
    "edge": ({"beside": {**WHOLE.beside, "power": "exited"}}, ("", "the power service is dead (exited)")),
    "leader": ({"leaders": {**WHOLE.leaders, "vm": "server-3"}}, ("vm", "server-3 leads, before: server-2")),
    "nobody": ({"leaders": {**WHOLE.leaders, "vm": ""}}, ("vm", "no server leads, before: server-2")),
    "moved": (
        {"runs_on": {**WHOLE.runs_on, "vm-1": ["server-3"]}},
        ("vm", "vm-1 runs in server-3, before: server-1"),
    ),
    "nowhere": (
        {"runs_on": {**WHOLE.runs_on, "container-1": []}},
        ("container", "container-1 runs in no server, before: server-5"),
    ),
    "split": (
        {"runs_on": {**WHOLE.runs_on, "vm-1": ["server-1", "server-3"]}},
        ("vm", "vm-1 runs in server-1 AND server-3, before: server-1"),
    ),
}


@pytest.mark.parametrize(("changes", "told"), CASES.values(), ids=CASES)
def test_what_differs_between_two_looks_has_happened(changes: dict[str, Any], told: tuple[str, str]) -> None:
    """One event a difference, when it was seen, about its side; nothing else."""
    assert happened(WHOLE, later(**changes)) == [Event(101.0, *told)]


def test_nothing_has_happened_where_nothing_differs() -> None:
    """Nor does who was not asked before count as new."""
    assert happened(WHOLE, later()) == []
    assert happened(dataclasses.replace(WHOLE, leaders={}, runs_on={}), later()) == []


def test_what_was_broken_comes_back() -> None:
    """A server, the fault that is undone, a leader where there was none."""
    broken = dataclasses.replace(
        WHOLE, servers={**WHOLE.servers, "server-1": "exited"}, leaders={**WHOLE.leaders, "vm": ""}, fault=KILLED
    )
    assert [one.what for one in happened(broken, later())] == [
        "undone: the fault server-killed on the side vm (server-1)",
        "server-1 runs again",
        "server-2 leads, before: none",
    ]


def test_the_edge_tells_when_it_noticed() -> None:
    """By its own clock, which is finer than the time between two looks; all is told in order."""
    noted = later(switched=[Switch(100.25, "vm", "place-1", "DOWN")], fault=KILLED)
    assert [(one.at_s, one.about, one.what) for one in happened(WHOLE, noted)] == [
        (100.25, "vm", "the edge takes place-1 for DOWN"),
        (101.0, "", "struck: the fault server-killed on the side vm (server-1)"),
    ]


def test_a_lab_is_followed_without_waiting() -> None:
    """A look that takes long holds nobody up; one that fails is told, and the next one is compared with the last."""
    going_on, asked = threading.Event(), []
    looks: Iterator[Look | LabError] = iter([WHOLE, LabError("the engine is away", hint="x"), later(fault=KILLED)])

    def ask(since_s: float) -> Look:
        assert going_on.wait(10)
        asked.append(since_s)
        found = next(looks, WHOLE)
        if isinstance(found, LabError):
            raise found
        return found

    begin = time.monotonic()
    with clusters.followed(ask, 0.01) as followed:
        assert (followed.last, followed.events) == (None, [])
        assert time.monotonic() - begin < 5
        going_on.set()
        while len(asked) < 4:
            assert time.monotonic() - begin < 10
            time.sleep(0.01)
    assert asked[1:3] == [100.0, 100.0]
    assert followed.events[0].what.startswith("struck: the fault server-killed")


def test_whoever_is_still_asked_at_the_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is asked in vain."""
    monkeypatch.setattr(clusters, "_END_S", 0.05)
    held = threading.Event()

    def ask(_since_s: float) -> Look:
        held.wait(20)
        return WHOLE

    begin = time.monotonic()
    with clusters.followed(ask, 0.01):
        pass
    assert time.monotonic() - begin < 5
    held.set()


class Engine:
    """The laptop's, with the lab's servers."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(NAMES, "running")

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_words: object) -> None:
        """Nothing."""


class Container:
    def __init__(self, name: str, status: str) -> None:
        self.name, self.status = name, status
        self.labels = {"vm-vs-container.role": name}
        self.restarted = 0

    def restart(self, timeout: float) -> None:
        self.restarted += 1


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """With an edge, a power service and a registry that run, and no fault in force."""
    found = Engine()
    beside = [Container(role, "running") for role in serving.ROLES]
    monkeypatch.setattr(servers, "engine", lambda _machine: found)
    monkeypatch.setattr(
        servers,
        "of",
        lambda _client, lab: [Container(f"{servers.prefix(lab)}{name}", state) for name, state in found.states.items()],
    )
    monkeypatch.setattr(servers, "beside", lambda _client, _lab: beside)
    monkeypatch.setattr(faults, "in_force", lambda _ready, _lab: None)
    monkeypatch.setattr(edge, "told", lambda *_words: [Switch(at_s, "vm", "place-1", "UP") for at_s in (5.0, 9e9)])
    monkeypatch.setattr(inside, "powerless", lambda _reach: "")
    return found


def test_a_dead_server_is_not_asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor anything of the edge that is newer than the look itself: that is the next one's."""
    engine.states["server-1"] = "exited"
    asked: list[str] = []

    def leader(side: str, own: Any, within_s: float) -> str:
        asked.extend(one.name for one in own)
        return f"{side} {within_s:g}"

    monkeypatch.setattr(where, "leader", leader)
    monkeypatch.setattr(where, "found", lambda replica, own, within_s: [(own[0], replica)])
    contract: Any = type("Contract", (), {"servers": SERVERS, "replicas": (VM, TASK)})
    found = clusters.look(type("Ready", (), {"machine": None}), "toy", contract, within_s=3, since_s=0)  # type: ignore[arg-type]
    assert "server-1" not in asked
    assert found.dead == ["server-1"]
    assert found.sides == {"container": NAMES[3:], "vm": NAMES[:3]}
    assert found.leaders == {"container": "container 3", "vm": "vm 3"}
    assert found.replicas == {"vm-1": "vm", "container-1": "container"}
    assert [one.at_s for one in found.switched] == [5.0]


@pytest.mark.parametrize(
    ("now", "said", "problem"),
    [
        ({"edge": "exited"}, "", "The edge is exited: no client reaches a replica."),
        ({"power": "exited"}, "", f"The power service is exited: {UNFENCED}."),
        ({}, "ConnectionRefusedError", f"The power service does not answer (ConnectionRefusedError): {UNFENCED}."),
    ],
)
def test_what_does_not_serve_the_clusters_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, now: dict[str, str], said: str, problem: str
) -> None:
    """By status, and by whoever asks whether the lab may be measured."""
    beside = [Container(one, now.get(one, "running")) for one in serving.ROLES]
    monkeypatch.setattr(servers, "beside", lambda _client, _lab: beside)
    monkeypatch.setattr(inside, "powerless", lambda _reach: said)
    machine: Any = type("Machine", (), {"docker_host": "unix:///x"})
    assert list(serving.problems(machine, engine, "toy")) == [problem]  # type: ignore[arg-type]


def test_nothing_is_measured_while_no_server_can_be_fenced(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A lab of clusters says so; what serves none is not asked for where there are none."""
    engine.states.clear()
    monkeypatch.setattr(servers, "beside", lambda _client, _lab: [])
    monkeypatch.setattr(steady, "wrong", lambda *_words: "")
    alone = FakeLab("toy", tmp_path).place
    at_rest: Any = SimpleNamespace(machine=alone.ready.machine, pulumi=SimpleNamespace(at_work=lambda _lab: False))
    alone = dataclasses.replace(alone, ready=at_rest)
    clustered = dataclasses.replace(alone, contract=dataclasses.replace(alone.contract, servers=SERVERS))
    assert list(steady.problems(alone)) == []
    assert f"The power service is gone: {UNFENCED}." in list(steady.problems(clustered))


def test_one_that_is_not_there_is_gone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after somebody has removed it."""
    monkeypatch.setattr(servers, "beside", lambda _client, _lab: [])
    assert serving.states(engine, "toy") == dict.fromkeys(serving.ROLES, "gone")  # type: ignore[arg-type]


def test_a_silent_power_service_is_started_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; one that answers is left alone. A server that dies while it is asked is no reason."""
    assert engine
    power = Container("power", "running")
    monkeypatch.setattr(servers, "beside", lambda _client, _lab: [power])
    machine: Any = type("Machine", (), {"docker_host": "unix:///x"})

    def powerless(_reach: Any) -> str:
        if not tried:
            tried.append(1)
            raise CommandError(Outcome(("x",), 1, "is not running", 0.0))
        return "" if power.restarted else "no answer"

    tried: list[int] = []
    monkeypatch.setattr(inside, "powerless", powerless)
    serving.wake(machine, "toy", Quiet())
    serving.wake(machine, "toy", Quiet())
    assert power.restarted == 1


def test_the_table_shows_each_cluster_in_80_columns() -> None:
    """Leader, place of the replica, dead servers, the fault in force."""
    broken = later(servers={**WHOLE.servers, "server-1": "exited"}, fault=KILLED)
    screen = Console(file=io.StringIO(), width=80, color_system=None)
    screen.print(live_view.standing(broken))
    assert isinstance(screen.file, io.StringIO)
    told = screen.file.getvalue()
    lines = [" ".join(line.split()) for line in told.splitlines() if line.strip()]
    assert lines == [
        "leader replica runs in servers",
        "container server-4 server-5 server-4 server-5 server-6",
        "vm server-2 server-1 server-1 DEAD server-2 server-3",
        "fault in force: server-killed on the side vm (server-1)",
    ]


def test_plain_lines_say_the_same() -> None:
    """One for how it stands at the beginning, one for each event, in the columns of the streams' lines."""
    broken = later(servers={**WHOLE.servers, "server-1": "exited"}, leaders={**WHOLE.leaders, "vm": ""}, fault=KILLED)
    assert live_view.standing_line(broken, 1.2) == (
        "     1 s  clusters    container: server-4 leads, container-1 in server-5; vm: nobody leads, vm-1 in server-1; "
        "dead: server-1; fault: server-killed on the side vm (server-1)"
    )
    assert live_view.event(Event(103.4, "", "x is dead"), 100.0) == "     3 s  lab         x is dead"


def test_status_names_the_fault_and_the_dead(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON by the names that the engine has of servers, and as text with the way back."""
    broken = later(servers={**WHOLE.servers, "server-1": "exited"}, fault=KILLED)
    found = status.told("failover", broken)
    first = f"{servers.prefix('failover')}server-1"
    assert found["dead"] == [first]
    assert found["fault"] == {"fault": "server-killed", "side": "vm", "servers": ("server-1",)}
    assert status.told("failover", WHOLE)["fault"] is None
    status._show("failover", {**found, "state": "up", "problems": ["The edge is exited: x."], "replicas": []})
    told = capsys.readouterr().out
    assert f"{first}  exited  DEAD  in the vm cluster" in told
    assert "server-killed on the side vm (server-1). Undo it: ./lab fault failover --undo" in told
    assert "The edge is exited: x." in told
    assert "Next: ./lab up failover" in told


class Stream:
    """A side's stream that says always the same."""

    def view(self) -> View:
        return LiveStream("vm").view(1.0)


def test_plain_lines_tell_each_event_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the streams' lines, and how it stands once, as soon as that is known."""
    monkeypatch.setattr(watch, "_PLAIN_S", 0.01)
    followed = clusters.Followed()
    looks = iter([None, WHOLE, later(fault=KILLED), None, later(fault=KILLED), later()])
    ended = threading.Event()

    class Side(Stream):
        def view(self) -> View:
            try:
                new = next(looks)
            except StopIteration:
                ended.set()
            else:
                if new is not None:
                    followed.take(new)
            return super().view()

    side: Any = Side()
    watch._plain(watch._Seen([side], followed, "EMULATED", began_s=100.0), time.monotonic() + 20, ended)
    told = [line.split(" s  ")[-1].strip() for line in capsys.readouterr().out.splitlines() if "answers:" not in line]
    assert told[0] == "EMULATED"
    assert told[1].startswith("clusters    container: server-4 leads, container-1 in server-5; vm: server-2 leads")
    assert told[2:] == [
        "lab         struck: the fault server-killed on the side vm (server-1)",
        "lab         undone: the fault server-killed on the side vm (server-1)",
    ]


def test_without_clusters_nothing_more_is_shown() -> None:
    """As in a lab of one server."""
    assert watch._Seen([], None, "").standing(80) == []
    assert watch._Seen([], None, "").events() == []
