"""Which engines cannot carry local servers, by what they and the kernel say."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import NotFound

from infra import engine_client, engine_place, plan, preflight
from infra.engine_place import EnginePlace, problem
from labkit.lifecycle import servers
from labkit.setup.docker import engine
from labkit.setup.docker.engine import ElsewhereError, Engine
from labkit.system.paths import CHECKOUT_ID

KERNEL = "6.12.1"
HERE = EnginePlace(
    operating_system="Debian GNU/Linux 13 (trixie)",
    name="laptop",
    kernel=KERNEL,
    security=("name=seccomp,profile=default", "name=cgroupns"),
    components=("Engine", "containerd", "runc"),
    data="/var/lib/docker",
    peer=1,
    peer_elsewhere=False,
    bridges_lacking=(),
    interfaces_unseen=(),
    files_unseen=(),
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"peer": None}, ""),
        ({"security": ("name=seccomp,profile=default", "name=rootless")}, "a rootless Docker Engine"),
        ({"operating_system": "Docker Desktop", "kernel": "6.6.1-linuxkit"}, "this is Docker Desktop"),
        ({"name": "docker-desktop"}, "this is Docker Desktop"),
        ({"name": "colima", "kernel": "6.8.0"}, r"virtual machine \(colima, Debian GNU/Linux 13 \(trixie\), kernel"),
        ({"components": ("Podman Engine", "Conmon")}, "Podman's imitation"),
        ({"peer": 0}, "either it or this shell is in a container"),
        ({"peer": 77, "peer_elsewhere": True}, "another network namespace"),
        ({"interfaces_unseen": ("wlan0",)}, r"another network namespace .*does not see wlan0"),
        ({"bridges_lacking": ("docker0",)}, "its bridge was deleted"),
        ({"files_unseen": ("/home/me/lab",)}, "^it does not see the files in /home/me/lab"),
        ({"files_unseen": ("/run/vvc",), "data": "/var/snap/docker/common/var-lib-docker"}, "of a snap.*/run/vvc"),
    ],
    ids=str,
)
def test_why_an_engine_cannot_carry_servers(changes: dict[str, Any], told: str) -> None:
    """By its name where it has one, else by what it does not see."""
    found = problem(dataclasses.replace(HERE, **changes), KERNEL)
    assert (found == "") == (told == "")
    assert re.search(told, found)


OURS = Engine("unix:///run/vvc-engine/docker.sock", True, "28.0", "1.48", 2, "overlay2")


@pytest.mark.parametrize("private_runs", [True, False])
def test_one_found_by_itself_gives_way_and_one_that_is_named_does_not(
    monkeypatch: pytest.MonkeyPatch, private_runs: bool
) -> None:
    """Rootless by default: the private engine. Rootless by DOCKER_HOST: refused."""

    def ask(_host: str, *, private: bool) -> Engine | None:
        if not private:
            raise ElsewhereError("a rootless one", hint="unset DOCKER_HOST")
        return OURS if private_runs else None

    monkeypatch.setattr(engine, "_ask", ask)
    monkeypatch.setattr(engine, "_context_host", lambda: "unix:///run/user/1/docker.sock")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert engine.find() == (OURS if private_runs else None, "a rootless one")
    assert engine.answers() == private_runs
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1/docker.sock")
    with pytest.raises(ElsewhereError):
        engine.find()


def test_plain_pulumi_up_refuses_such_an_engine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where set-up found another than the one that answers there now."""
    machine = SimpleNamespace(docker_host="unix:///s", checkout="/c", guest_dir="/g/1", runtime_dir="/r")
    client = SimpleNamespace(version=dict, info=dict)
    monkeypatch.setattr(engine_place, "look", lambda *_: dataclasses.replace(HERE, kernel=engine_place.this_kernel()))
    preflight._check_place(cast(Any, client), cast(Any, machine))
    monkeypatch.setattr(engine_place, "look", lambda *_: dataclasses.replace(HERE, kernel="2.0"))
    with pytest.raises(preflight.RefusedError, match=r"unix:///s cannot carry local servers: .*\./lab setup"):
        preflight._check_place(cast(Any, client), cast(Any, machine))


@pytest.mark.parametrize(
    ("name", "role", "is_one"),
    [
        ("server-1", "server", True),
        ("node", "server", True),
        ("server-tool", "tool", False),
        ("server-edge", "edge", False),
        ("server-1", "", True),
        ("container-1", "", False),
        ("tool", "", False),
    ],
)
def test_only_a_server_counts_as_one(name: str, role: str, is_one: bool) -> None:
    """By its role; by its name where an earlier version made it, which gave none.

    Of what lies on the wrong engine a lab's own containers have its labels, too.
    """
    labels = {plan.ROLE_LABEL: role} if role else {}
    assert servers.is_server("deployment", f"vvc-{CHECKOUT_ID}-deployment-{name}", labels) == is_one
    assert servers.is_server("deployment", name, labels) == (role == servers.SERVER)


def test_of_a_labs_containers_those_are_found_that_are_servers() -> None:
    """A new one, one of an earlier version, and a tool that is at work beside them."""
    names = {"server-1": {plan.ROLE_LABEL: "server"}, "server-2": {}, "server-3": {plan.ROLE_LABEL: "tool"}}
    there = [SimpleNamespace(name=f"{servers.prefix('d')}{name}", labels=labels) for name, labels in names.items()]
    client = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: there))
    assert [one.name for one in servers.of(cast(Any, client), "d")] == [one.name for one in there[:2]]


@pytest.mark.parametrize("stopped", ["server-1", "server-2"])
def test_plain_pulumi_up_refuses_while_any_server_of_the_lab_is_stopped(
    stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All those that the lab is to have are looked at, by name; one that is not there yet is no problem."""
    lab = plan.Plan("1a2b3c4d", "d", plan.default_subnet("1a2b3c4d", "d"))
    container = SimpleNamespace(labels=lab.labels, status="exited")

    def get(name: str) -> SimpleNamespace:
        if name == lab.name(stopped):
            return container
        raise NotFound("none")

    client = SimpleNamespace(containers=SimpleNamespace(get=get), close=lambda: None)
    monkeypatch.setattr(engine_client, "connect", lambda *_: client)
    monkeypatch.setattr(preflight, "_check_place", lambda *_: None)
    machine = cast(Any, SimpleNamespace(docker_host="unix:///s"))
    with pytest.raises(preflight.RefusedError, match=f"The server {lab.name(stopped)} is exited"):
        preflight.check(machine, lab, ["server-1", "server-2"])
    preflight.check(machine, lab, [{"server-1": "server-2", "server-2": "server-1"}[stopped]])
