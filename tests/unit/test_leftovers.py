"""Which things are ours, which appeared beside them, which processes are orphans: decided from data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra import plan
from labkit.lifecycle import clean, inside, inventory, leftovers, servers
from labkit.lifecycle.inventory import Kind, Mine, Note, Thing
from labkit.lifecycle.orphans import Home, of_dead_servers, orphans
from labkit.setup.docker import engine
from labkit.setup.docker.engine import DEFAULT_HOST
from labkit.system.errors import LabError
from labkit.system.processes import Process
from labkit.system.progress import Quiet

CHECKOUT_DIR = Path(__file__).parents[2]
CHECKOUT, LAB = "1a2b3c4d", "deployment"
BOTH = {plan.CHECKOUT_LABEL: CHECKOUT, plan.LAB_LABEL: LAB}
MINE = Mine.of(CHECKOUT, [LAB])
BRIDGE = plan.bridge_name(CHECKOUT, LAB)
PLAN = plan.Plan(CHECKOUT, LAB, plan.default_subnet(CHECKOUT, LAB))
BACKEND = "file:///home/me/vms/.state/pulumi"
HOME = Home(BACKEND, "/home/me/vms")


@pytest.mark.parametrize("kind", ["container", "network", "volume"])
@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        (BOTH, True),
        (BOTH | {"more": "x"}, True),
        ({plan.CHECKOUT_LABEL: CHECKOUT}, False),
        ({plan.LAB_LABEL: LAB}, False),
        (BOTH | {plan.CHECKOUT_LABEL: "1a2b3c4e"}, False),
        (BOTH | {plan.LAB_LABEL: "deployment2"}, False),
        ({}, False),
    ],
)
def test_both_labels_make_it_ours(kind: Kind, labels: Mapping[str, str], ours: bool) -> None:
    """A name alone, or one label, never does."""
    thing = Thing(kind, PLAN.name("server-1"), "1", labels)
    assert inventory.is_ours(thing, MINE) is ours
    assert bool(leftovers.on_engine(DEFAULT_HOST, [thing], MINE)) is ours


@pytest.mark.parametrize(
    ("name", "mac", "ours"),
    [
        (BRIDGE, "02:42:00:00:00:01", True),
        ("vnet0", PLAN.vm_mac(3), True),
        ("vnet0", "fe" + PLAN.vm_mac(3)[2:], True),
        ("eth1", PLAN.server_mac(), True),
        ("eth2", PLAN.server_mac(8, "mgmt"), True),
        (plan.bridge_name(CHECKOUT, LAB, "mgmt"), "02:42:00:00:00:01", True),
        (BRIDGE[:-1] + "x", "02:42:00:00:00:01", False),
        (BRIDGE[:-1], "02:42:00:00:00:01", False),
        ("vvc0", f"{plan.MAC_PREFIX}:ff:ff:ff", False),
        ("eth0", "52:54:00:12:34:56", False),
    ],
)
def test_an_interface_is_ours_by_its_whole_name_or_mac(name: str, mac: str, ours: bool) -> None:
    """Another lab's MAC has our prefix as well; that does not make it this lab's."""
    assert inventory.is_ours(Thing("interface", name, name, mac=mac), MINE) is ours


def test_what_appeared_meanwhile_is_neither_ours_nor_older() -> None:
    """Nor a port of our bridge, nor an image of this project."""
    older = Thing("container", "db", "1")
    now = [
        older,
        Thing("container", "web", "2"),
        Thing("container", "db", "3"),
        Thing("network", PLAN.name("lan"), "4", BOTH),
        Thing("interface", BRIDGE, BRIDGE),
        Thing("interface", "veth1", "veth1", bridge=BRIDGE),
        Thing("interface", "veth2", "veth2", bridge="docker0"),
        Thing("image", f"{plan.PROJECT}/server:1", "5"),
        Thing("image", "debian:trixie", "6"),
    ]
    found = inventory.appeared(now, Note("12:00", frozenset({older.key})), MINE)
    assert [(thing.kind, thing.name) for thing in found] == [
        ("container", "web"),
        ("container", "db"),
        ("interface", "veth2"),
        ("image", "debian:trixie"),
    ]


def test_the_removal_can_be_pasted() -> None:
    """It names the engine where that is not the one of a plain `docker`; containers go before networks and volumes."""
    things = [Thing("volume", "v", "1", BOTH), Thing("container", "a b", "2", BOTH), Thing("network", "n", "3", BOTH)]
    assert [one.removal for one in leftovers.on_engine(DEFAULT_HOST, things, MINE)] == [
        "docker rm -f -v 'a b'",
        "docker network rm n",
        "docker volume rm -f v",
    ]
    private = leftovers.on_engine("unix:///run/x/docker.sock", things[:1], MINE)
    assert private[0].removal == "docker --host unix:///run/x/docker.sock volume rm -f v"


def process(pid: int, parent: int, session: int, *words: str, **environment: str) -> Process:
    return Process(pid, parent, session, words, {"PULUMI_BACKEND_URL": BACKEND, **environment})


INIT = Process(1, 0, 1, ("init",), {})
SHELL = process(10, 9, 10, "bash")
WORKER = "infra.playbook_worker"
SCRIPT = "pulumi-resource-pulumi-python"
RUNNER = "pulumi-language-python-exec"
PLUGIN = "/cache/plugins/resource-docker/pulumi-resource-docker"

TREES = [
    ("a person's pulumi up", [process(20, 10, 10, "pulumi", "up"), process(21, 20, 10, PLUGIN)], []),
    ("its CLI was killed", [process(21, 1, 10, PLUGIN), process(22, 1, 10, "python", "-m", WORKER)], [21, 22]),
    ("what the orphan started goes along",
     [process(21, 1, 10, "python", "/x/toolchain/language_host.py"),
      process(22, 21, 10, "python", "/x/toolchain/program_runner.py")], [21, 22]),
    ("handed to a reaper that is not init", [process(21, 5, 10, PLUGIN)], [21]),
    ("a detached CLI of this lab", [process(21, 1, 21, "pulumi", "up", "-s", LAB)], [21]),
    ("a detached CLI of another lab", [process(21, 1, 21, "pulumi", "up", "-s", "x"), process(22, 21, 21, PLUGIN)], []),
    ("Ansible's ssh of a killed worker",
     [process(21, 1, 10, "ssh", VVC_PLAYBOOK_RUN="/home/me/vms/.state/x/vm-1/7")], [21]),
    ("another checkout's", [process(21, 1, 10, PLUGIN, PULUMI_BACKEND_URL=BACKEND + "2")], []),
    ("of init's own session", [process(21, 1, 1, PLUGIN), process(22, 21, 22, "python", "-m", WORKER)], [21, 22]),
    ("of its reaper's own session", [process(21, 5, 5, PLUGIN)], [21]),
    ("its parent is gone and nobody's child yet", [process(21, 20, 5, PLUGIN)], [21]),
    ("a person's pulumi up from a shell that lacks the variable, of the reaper's session",
     [Process(11, 5, 5, ("bash",), {}), process(20, 11, 5, "pulumi", "-s", LAB), process(21, 20, 21, PLUGIN)], []),
    ("a worker that a test holds", [process(20, 10, 10, "pytest"), process(21, 20, 10, "python", "-m", WORKER)], []),
    ("./lab's CLI, held",
     [Process(20, 10, 10, ("python", "-m", "labkit"), {}),
      process(21, 20, 10, "pulumi", "up", "-s", LAB, VVC_STARTED_BY="20"),
      process(22, 21, 22, PLUGIN, VVC_STARTED_BY="20")], []),
    ("./lab's CLI, ./lab killed, in init's session",
     [process(21, 1, 1, "pulumi", "up", "-s", LAB, VVC_STARTED_BY="20"), process(22, 21, 22, PLUGIN)], [21, 22]),
    ("./lab's CLI of another lab, ./lab killed", [process(21, 1, 1, "pulumi", "-s", "x", VVC_STARTED_BY="20")], []),
    ("the official provider's script lives on between the killed CLI and what it has started",
     [process(21, 1, 10, "/bin/sh", f"/opt/pulumi/{SCRIPT}", "127.0.0.1:1"),
      process(22, 21, 10, "/x/.venv/bin/python", "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"),
      process(23, 22, 10, "/x/.venv/bin/python", "-m", WORKER)], [21, 22, 23]),
    ("the same, held by its CLI",
     [process(20, 10, 10, "pulumi", "up"), process(21, 20, 10, "/bin/sh", f"/opt/pulumi/{SCRIPT}", "127.0.0.1:1"),
      process(22, 21, 10, "python", "-u", "-m", "pulumi.dynamic", "127.0.0.1:1")], []),
    ("the official program's runner", [process(21, 1, 10, "python", "-u", f"/opt/{RUNNER}", "--monitor")], [21]),
    ("of a plain pulumi that finds its state by Pulumi.yaml, its CLI killed",
     [Process(21, 5, 10, ("sh", f"/opt/{SCRIPT}", "127.0.0.1:1"), {}, "/home/me/vms"),
      Process(22, 21, 10, ("python", "-m", "pulumi.dynamic", "127.0.0.1:1"), {}, "/home/me/vms"),
      Process(23, 22, 10, ("python", "-m", WORKER), {}, "/home/me/vms"),
      Process(24, 1, 10, ("ssh", "x"), {"VVC_PLAYBOOK_RUN": "/home/me/vms/.state/x/vm-1/7"}, "/tmp")],
     [21, 22, 23, 24]),
    ("the same, held by a CLI that was started in a folder below",
     [Process(20, 10, 10, ("pulumi", "up"), {}, "/home/me/vms/infra"),
      Process(21, 20, 10, ("sh", f"/opt/{SCRIPT}", "127.0.0.1:1"), {}, "/home/me/vms")], []),
    ("the same, of a checkout inside this one, and of another project",
     [Process(21, 1, 10, ("sh", f"/opt/{SCRIPT}", "127.0.0.1:1"), {}, "/home/me/vms/copy"),
      Process(22, 1, 10, ("ssh", "x"), {"VVC_PLAYBOOK_RUN": "/home/me/vms/copy/.state/x/vm-1/7"}, "/tmp"),
      Process(23, 1, 10, (PLUGIN,), {"PULUMI_BACKEND_URL": "https://elsewhere"}, "/home/me/vms")], []),
    ("no program of Pulumi's", [process(21, 1, 10, "vim", "README.md"), process(22, 1, 10, "sleep", "9")], []),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "wanted"), [tree[1:] for tree in TREES], ids=[tree[0] for tree in TREES])
def test_orphans(tree: list[Process], wanted: list[int]) -> None:
    """Only programs of Pulumi of this checkout, and only when nobody holds them any more."""
    reaper = Process(5, 1, 5, ("systemd", "--user"), {})
    assert [one.pid for one in orphans([INIT, reaper, SHELL, *tree], HOME, LAB)] == wanted


REAPER = """
import ctypes, os, subprocess
from labkit.lifecycle import orphans
from labkit.system import processes
from labkit.system.waiting import until
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
script = "exec -a pulumi-resource-orphan sleep 60 >/dev/null 2>&1 & echo $!"
words = {"env": {**os.environ, "PULUMI_BACKEND_URL": "file:///orphans"}, "stdout": subprocess.PIPE, "text": True}
orphan = int(subprocess.run(["bash", "-c", script], **words).stdout)
try:
    # It was a shell a moment ago.
    found = until(lambda: orphans.orphans(processes.running(), orphans.Home("file:///orphans", "/none"), "x"), 20)
    assert [one.pid for one in found] == [orphan], found
    assert (found[0].parent, found[0].session) == (os.getpid(), os.getsid(0)), found
finally:
    os.kill(orphan, 9)
"""


def test_a_real_orphan_is_told_where_its_reaper_leads_its_session() -> None:
    """As in a container whose init has started the shell without a session of its own."""
    subprocess.run([sys.executable, "-c", REAPER], cwd=CHECKOUT_DIR, start_new_session=True, timeout=30, check=True)


def test_of_a_dead_server_the_topmost_process_is_named() -> None:
    """Its end is the end of all in its PID namespace; other servers' processes are not looked at."""
    own, other = {"VVC_HOST_UUID": "u1"}, {"VVC_HOST_UUID": "u2"}
    tree = [Process(7, 1, 7, ("tini",), own), Process(8, 7, 7, ("libvirtd",), own), Process(9, 1, 9, ("tini",), other)]
    assert [one.pid for one in of_dead_servers(tree, ["u1"])] == [7]


def test_other_checkouts_are_those_with_both_labels_and_another_id() -> None:
    """Ours, and what has one label only, is none."""
    things = [
        Thing("container", "a", "1", BOTH),
        Thing("container", "b", "2", BOTH | {plan.CHECKOUT_LABEL: "ffffffff"}),
        Thing("volume", "c", "3", {plan.CHECKOUT_LABEL: "eeeeeeee"}),
        Thing("network", "d", "4", {plan.CHECKOUT_LABEL: "ffffffff", plan.LAB_LABEL: "x"}),
    ]
    assert clean.others(things, CHECKOUT) == {"ffffffff": {LAB, "x"}}


def test_the_private_engine_stays_while_other_checkouts_have_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped ones count too; nothing is stopped or deleted."""
    foreign = Thing("container", "b", "2", BOTH | {plan.CHECKOUT_LABEL: "ffffffff"})
    monkeypatch.setattr(engine, "private_host", lambda: "unix:///private")
    monkeypatch.setattr(clean, "_read", lambda _: [foreign])
    monkeypatch.setattr(engine, "remove", lambda _: pytest.fail("it was removed"))
    with pytest.raises(LabError) as refused:
        clean.private_engine(Quiet())
    assert refused.value.problem == "Other checkouts' labs are on the private Docker Engine (ffffffff: deployment)."


@pytest.mark.parametrize("known", [frozenset({"id"}), frozenset()], ids=["up", "down"])
def test_what_an_experiment_left_in_a_server_is_named_with_what_removes_it(
    known: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a lab that is up, in the servers that run; where nothing is up there is no server to ask."""
    there = [SimpleNamespace(name="s-1", status="running"), SimpleNamespace(name="s-2", status="exited")]
    monkeypatch.setattr(leftovers, "_read", lambda _machine: [])
    monkeypatch.setattr(leftovers, "_ours", lambda *_words: [])
    monkeypatch.setattr(leftovers, "connected", lambda _host: nullcontext())
    monkeypatch.setattr(servers, "of", lambda _client, _lab: there)
    monkeypatch.setattr(inside, "undo", lambda _server, look: ["rules vvc-firewall"] if look else [])
    found = leftovers.look(SimpleNamespace(docker_host="unix:///x"), LAB, known).ours
    assert [one.what for one in found] == (["experiment in s-1: rules vvc-firewall"] if known else [])
    assert all(one.removal == f"docker --host unix:///x exec s-1 {inside.UNDO}" for one in found)
