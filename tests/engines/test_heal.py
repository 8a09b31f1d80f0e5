"""What was removed or switched off by hand is brought back; after a reboot both sides come back with their data."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from bench.recover import INSIDE
from infra import outputs, plan
from labkit.system.paths import CHECKOUT_ID
from labkit.system.waiting import until
from tests.engines.real import LAB, ROOT, SHORT_S, UP_S, command, contract, engine, inside, pulumi, tool
from tests.pace import at_once

pytestmark = pytest.mark.engine


def write(lab: outputs.Contract) -> str:
    """An entry in every replica; its client's name."""
    client = uuid.uuid4().hex[:12]
    for replica in lab.replicas:
        entry = {"client": client, "seq": 1, "payload": "kept"}
        assert requests.post(f"{replica.url}/entries", json=entry, timeout=10).status_code in (200, 201)
    return client


def kept(replica: outputs.Replica, client: str) -> bool:
    """Whether the replica still has the entry."""
    answer = requests.get(f"{replica.url}/entries?client={client}&after=0", timeout=10)
    assert answer.status_code == 200
    return [entry["payload"] for entry in answer.json()["entries"]] == ["kept"]


def in_server(lab: outputs.Contract, script: str) -> None:
    """Run a script inside the server."""
    engine("exec", lab.servers[0].container, "sh", "-ec", script)


def reboot(lab: outputs.Contract) -> None:
    """A power cut as the lab sees it: the server killed, /run empty."""
    engine("kill", lab.servers[0].container)
    shutil.rmtree(Path(lab.servers[0].docker_host.removeprefix("unix://")).parent.parent)


def stopped(lab: outputs.Contract) -> None:
    """The server, in order."""
    engine("stop", "-t", "15", lab.servers[0].container)


def no_server(lab: outputs.Contract) -> None:
    """The server's container alone."""
    engine("rm", "-f", lab.servers[0].container)


def no_volumes(lab: outputs.Contract) -> None:
    """The server with all that it held."""
    no_server(lab)
    own = f"label={plan.CHECKOUT_LABEL}={CHECKOUT_ID}"
    volumes = engine("volume", "ls", "-q", "--filter", own, "--filter", f"label={plan.LAB_LABEL}={LAB}").split()
    engine("volume", "rm", *volumes)


def inside_container(lab: outputs.Contract) -> None:
    """Container, its network and its volume."""
    in_server(lab, INSIDE["the container, its network and its volume"])


def inside_disk(lab: outputs.Contract) -> None:
    """A VM's disk, under its definition."""
    in_server(lab, INSIDE["the VM's disk"])


def inside_domain(lab: outputs.Contract) -> None:
    """A VM's definition; its disk stays."""
    in_server(lab, INSIDE["the VM's definition"])


def off(lab: outputs.Contract) -> None:
    """The guest by its own `poweroff`, the container by its engine."""
    in_server(lab, "docker stop container-1")
    inside("vm-1", "poweroff", check=False)
    state = ("exec", lab.servers[0].container, "virsh", "-q", "domstate", "vm-1")
    assert until(lambda: engine(*state) == "shut off", SHORT_S, pause_s=1)


def stuck(lab: outputs.Contract) -> None:
    """libvirtd, as it is where a client has died amid an upload: it is there and never answers again."""
    in_server(lab, "pkill -STOP -o -x libvirtd")


@pytest.mark.parametrize(
    ("removal", "keeps"),
    [
        (no_server, {"vm", "container"}),
        (off, {"vm", "container"}),
        (stuck, {"vm", "container"}),
        pytest.param(no_volumes, set(), marks=pytest.mark.long),
        (inside_container, {"vm"}),
        pytest.param(inside_disk, {"container"}, marks=pytest.mark.long),
        pytest.param(inside_domain, {"vm", "container"}, marks=pytest.mark.long),
    ],
)
def test_up_restores_the_lab(
    lab: outputs.Contract, removal: Callable[[outputs.Contract], None], keeps: set[str]
) -> None:
    """Every replica answers again, and only what was on a removed disk or volume is gone."""
    client = write(lab)
    removal(lab)
    tool("up", LAB, "--yes", timeout_s=UP_S)
    assert {replica.side for replica in lab.replicas if kept(replica, client)} == keeps


@pytest.mark.parametrize("end", [reboot, pytest.param(stopped, marks=pytest.mark.long)])
def test_a_server_that_ended_is_named_at_once_and_up_starts_it(
    lab: outputs.Contract, end: Callable[[outputs.Contract], None]
) -> None:
    """Plain `pulumi up` fails within 10 s naming ./lab up, which brings both sides back with their data."""
    client = write(lab)
    end(lab)
    with at_once(10):
        done = command(["pulumi", "up", "--yes", "-s", LAB, "--non-interactive"], check=False)
    assert done.returncode != 0
    assert f"is exited. Start it and the lab: ./lab up {LAB}" in done.stdout + done.stderr
    tool("up", LAB, "--yes", timeout_s=UP_S)
    assert all(kept(replica, client) for replica in lab.replicas)


def test_a_port_that_something_foreign_has_is_named(lab: outputs.Contract) -> None:
    """In the server, where the lab's ports are; the foreign container stays, and without it `up` works."""
    port = lab.side("container")[0].url.rpartition(":")[2]
    foreign = f"docker run -d --name foreign -p {port}:8000 --entrypoint sleep"
    in_server(lab, f"{foreign} $(docker inspect -f '{{{{.Image}}}}' container-1) 900 || docker rm -f container-1")
    try:
        in_server(lab, "docker start foreign")
        done = tool("up", LAB, "--yes", check=False, timeout_s=UP_S)
        told = done.stdout + done.stderr
        assert done.returncode != 0
        assert f"0.0.0.0:{port} failed: port is already allocated" in told
        in_server(lab, "docker inspect foreign")
    finally:
        in_server(lab, "docker rm -f foreign")
        tool("up", LAB, "--yes", timeout_s=UP_S)
    assert requests.get(f"{lab.side('container')[0].url}/healthz", timeout=10).status_code == 200


MOVED = """
mkdir -p /var/lib/libvirt/images/lab
touch /var/lib/libvirt/images/lab/vm-1.qcow2
virsh -q pool-create-as lab dir --target /var/lib/libvirt/images/lab
cat > /run/moved.xml << END
<domain type='qemu'>
  <name>vm-1</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><emulator>/usr/bin/vvc-emulator</emulator></devices>
</domain>
END
virsh -q create /run/moved.xml
docker volume create container-1-data
"""
"""In a server, what a move that was killed leaves there: names that are noted of another server."""


@pytest.mark.long
def test_each_of_two_servers_is_healed_by_itself(lab: outputs.Contract) -> None:
    """What is gone in one comes back, and what runs in the other stays; what was moved to it goes with it."""
    stack = ROOT / f"Pulumi.{LAB}.yaml"
    as_committed, client = stack.read_text(encoding="utf-8"), write(lab)
    boot_id = inside("vm-1", "cat", "/proc/sys/kernel/random/boot_id")
    try:
        pulumi("config", "set", "servers", "2")
        tool("up", LAB, "--yes", timeout_s=UP_S)
        first, second = contract().servers
        assert first == lab.servers[0]
        begun = engine("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", second.container)
        in_server(lab, INSIDE["the container, its network and its volume"])
        tool("up", LAB, "--yes", timeout_s=UP_S)
        assert engine("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", second.container) == begun
        engine("rm", "-f", second.container)
        tool("up", LAB, "--yes", timeout_s=UP_S)
        assert contract().servers == (first, second)
        engine("exec", second.container, "sh", "-ec", MOVED)
    finally:
        stack.write_text(as_committed, encoding="utf-8")
        tool("up", LAB, "--yes", timeout_s=UP_S)
    assert contract() == lab
    assert not engine("ps", "-aq", "--filter", f"name={second.container}")
    assert inside("vm-1", "cat", "/proc/sys/kernel/random/boot_id") == boot_id
    assert [replica.side for replica in lab.replicas if kept(replica, client)] == ["vm"]
