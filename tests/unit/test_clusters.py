"""What the tool makes of clusters: where a replica runs, what the edge is told, how a cluster is formed again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra import edge
from infra.outputs import Contract, Replica, Server
from infra.reach import Reach
from infra.worker.inventory import inventory
from labkit.lifecycle import missing, places
from labkit.lifecycle.inside import There
from labkit.lifecycle.missing import Known, Steps
from labkit.sides import SIDES, Runner, where
from labkit.system import stack_files
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome

URN = "urn:pulumi:failover::vm-vs-container::docker:index/container:Container::{}"
VM = Replica("vm-1", "vm", "server-1", "http://10.1.2.12:8001", "vm-1", "bridged", "10.1.2.16")
TASK = Replica("container-1", "container", "server-4", "http://10.1.2.12:8002", "container-1", "published")


def server(number: int, side: str | None) -> Server:
    """One of a lab."""
    name = f"server-{number}"
    return Server(name, f"10.1.2.{number + 1}", Reach("docker", "unix:///e", name), f"unix:///{name}", "", side)


SERVERS = tuple(server(number, "vm" if number <= 3 else "container") for number in range(1, 7))


def answering(answers: Mapping[str, str]) -> Callable[[Server], Runner]:
    """Servers that say this; one that is not there fails, as a dead one does."""

    def reaching(one: Server) -> Runner:
        def run(command: Sequence[str], timeout_s: float = 60.0, on_line: object = None) -> Outcome:
            words = tuple(command)
            if one.name not in answers:
                raise CommandError(Outcome(words, 1, "is not running", 0.0))
            return Outcome(words, 0, answers[one.name] + "\n" * bool(answers[one.name]), 0.0)

        return run

    return reaching


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"server-1": "vm-1", "server-2": "", "server-3": ""}, ["server-1"]),
        ({"server-2": "vm-1", "server-3": ""}, ["server-2"]),
        ({"server-1": "", "server-2": "", "server-3": ""}, []),
        ({"server-1": "vm-1", "server-3": "vm-1"}, ["server-1", "server-3"]),
        ({}, []),
    ],
)
def test_where_a_vm_runs_is_asked_of_its_sides_servers(answers: Mapping[str, str], found: list[str]) -> None:
    """Of those that answer; two of them mean two copies. The other side's are not asked."""
    there = where.found(VM, SERVERS, answering({**answers, "server-4": "vm-1"}))
    assert [one.name for one, _ in there] == found
    assert [replica.server for _, replica in there] == found


def test_a_task_has_another_name_in_each_server() -> None:
    """By which alone the engine there knows it."""
    ((place, replica),) = where.found(TASK, SERVERS, answering({"server-5": "container-1.1.abc", "server-6": ""}))
    assert (place.name, replica.name, replica.handle) == ("server-5", "container-1", "container-1.1.abc")
    words = SIDES["container"].exec_command(replica, place, Path("/lab"), ["true"], tty=False)
    assert words == ["docker", "--host", "unix:///server-5", "exec", "-i", "container-1.1.abc", "true"]


def test_one_goes_into_a_vm_by_its_own_address() -> None:
    """Its URL is the edge's."""
    assert "root@10.1.2.16" in SIDES["vm"].exec_command(VM, SERVERS[0], Path("/lab"), ["true"], tty=False)


def test_where_servers_are_no_cluster_nobody_is_asked() -> None:
    """What the contract says holds."""
    alone = server(1, None)
    assert where.found(VM, [alone], answering({})) == []
    assert where.leader("vm", [alone], answering({})) == ""


def test_the_leader_is_whom_most_servers_name() -> None:
    """One that is dead or has left says nothing; one that is cut off may name itself."""
    assert where.leader("vm", SERVERS, answering({"server-2": "", "server-3": "server-3"})) == "server-3"
    split = {"server-1": "server-1", "server-2": "server-3", "server-3": "server-3"}
    assert where.leader("vm", SERVERS, answering(split)) == "server-3"
    assert where.leader("vm", SERVERS, answering({"server-1": "", "server-2": ""})) == ""


def test_one_goes_in_where_a_replica_runs_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the contract says of the server on which it began."""
    contract = Contract("failover", "tcg", "1", SERVERS, (VM, TASK), 1, 512)
    moved = dataclasses.replace(TASK, server="server-6", handle="container-1.1.abc")
    monkeypatch.setattr(stack_files, "known", lambda name: name)
    monkeypatch.setattr(places, "of", lambda _ready, _lab: places.exported(contract))
    monkeypatch.setattr(where, "found", lambda replica, servers: [(servers[5], moved)])
    found = places.find(None, "container-1", "failover", "exec")  # type: ignore[arg-type]  # `of` is played
    assert (found.server.name, found.replica) == ("server-6", moved)


def test_the_edge_is_told_every_place_of_each_side() -> None:
    """A port a side, the same timers for both."""
    told = edge.configuration({"vm": ("http://10.1.2.12:8001", ["http://a:8000"]), "x": ("http://e:9", ["http://b:1"])})
    assert "\nlisten vm\n  bind :8001\n  server place-1 a:8000 check\n" in told
    assert "\nlisten x\n  bind :9\n  server place-1 b:1 check\n" in told
    assert told.count("default-server") == 1
    assert told.count("http-error status 503 content-type text/plain") == 1


def test_ansible_reaches_servers_through_their_engine_and_a_guest_by_ssh() -> None:
    """Never both in one play."""
    inputs = {"name": "x", "host": "h", "port": 22, "user": "root", "ssh_timeout_s": 120}
    names = {"python": "/p", "key": "/k", "ssh": "/s"}
    variables = {**SERVERS[0].reach.ansible, "vvc_mgmt": "10.3.3.2"}
    found = inventory({**inputs, "servers": {"server-2": {}, "server-1": variables}}, names)
    assert found["servers"]["hosts"] == {"server-1": variables, "server-2": {}}
    assert next(iter(found["servers"]["hosts"])) == "server-1"
    assert variables["ansible_connection"] == "docker"
    assert "guests" not in found
    assert list(inventory(inputs, names)) == ["guests", "ungrouped"]


def known(name: str, server: str = "") -> Known:
    """A container on the laptop's engine."""
    return Known(There("container", f"vvc-1-failover-{name}", name), URN.format(name), server)


CLUSTER = [known(name) for name in ("edge", "power", "registry", "server-1", "server-2")]
LAN = Known(There("network", "lan", "n"), "urn:pulumi:failover::docker:index/network:Network::lan")


@pytest.mark.parametrize("gone", ["edge", "power", "registry"])
def test_what_serves_a_cluster_comes_back_by_itself(gone: str) -> None:
    """No server stands on it: the rest of the lab can be read as it is."""
    state = [*CLUSTER, LAN]
    there = [one.there for one in state if not one.urn.endswith(gone)]
    assert missing.outer_steps(state, there, ["server-1", "server-2"]) == Steps(up=("--refresh",))


def test_a_lab_without_a_server_in_its_state_is_half_a_lab_whatever_serves_it() -> None:
    """An edge is no server."""
    state = [known("edge"), LAN]
    assert missing.outer_steps(state, [one.there for one in state], []) == Steps(up=("--refresh",))


def test_what_forms_a_server_is_found_by_its_name() -> None:
    """In the inputs of its side's playbook; a guest's names no servers."""
    resources: list[dict[str, Any]] = [
        {"urn": "vm", "inputs": {"servers": {"server-1": {}, "server-2": {}}}},
        {"urn": "container", "inputs": {"servers": {"server-4": {}}}},
        {"urn": "guest", "inputs": {"servers": None}},
        {"urn": "network", "inputs": {}},
        {"urn": "component"},
    ]
    assert [missing.forming(resources, f"server-{number}") for number in (2, 4, 9)] == [["vm"], ["container"], []]
