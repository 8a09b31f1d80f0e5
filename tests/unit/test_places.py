"""Where one can go in a lab that is not whole, and why one cannot: from data."""

from __future__ import annotations

from typing import Any

import pytest

from infra import outputs
from infra.machine import Machine
from infra.plan import Plan, default_subnet
from infra.reach import Reach
from labkit.lifecycle import places
from labkit.lifecycle.inside import There
from labkit.lifecycle.places import Entrance
from labkit.system.paths import CHECKOUT_ID

LAB = "deployment"
FULL = Plan(CHECKOUT_ID, LAB, default_subnet(CHECKOUT_ID, LAB)).name("server-1")
SERVER = outputs.Server(
    name="server-1",
    address="10.9.8.2",
    reach=Reach("docker", "unix:///e", FULL),
    docker_host="unix:///run/x/deployment-server-1/docker.sock",
    libvirt_uri="qemu+unix:///system?socket=/run/x/deployment-server-1/libvirt.sock",
)
MACHINE = Machine(1, "/c", "unix:///e", "28", 2, "/run/x", "0:0", "tcg", "", "i", "/g", "d", "/c", "d")
VM = outputs.Replica("vm-1", "vm", "server-1", "http://10.9.8.16:8000", "vm-1", "bridged")
CONTAINER = outputs.Replica("container-2", "container", "server-1", "http://10.9.8.2:8002", "container-2", "published")


def networks(address: str) -> dict[str, Any]:
    """As an engine tells them, in its own order: that of servers alone may be the first."""
    of = FULL.removesuffix("server-1")
    return {
        f"{of}mgmt": {"IPAddress": "10.1.1.2", "IPPrefixLen": 16},
        f"{of}lan": {"IPAddress": address, "IPPrefixLen": 24},
    }


def container(address: str) -> dict[str, Any]:
    """What the engine says of a server's container."""
    return {"Name": f"/{FULL}", "NetworkSettings": {"Networks": networks(address)}}


def test_what_stands_of_a_lab_without_outputs_is_read_off_the_engine() -> None:
    """Names, sockets and addresses are those that its outputs would have."""
    assert places.standing(LAB, [container("10.9.8.2")], MACHINE) == [SERVER]
    inside = {
        There("domain", "vm-1", "u1"),
        There("container", "container-2", "c2"),
        There("container", "vvc-probe", "c3"),
        There("disk", "vm-1.qcow2", "/p"),
        There("network", "lab", "n"),
        There("domain", "mine", "u2"),
    }
    assert places.replicas(LAB, SERVER, 24, inside) == [VM, CONTAINER]
    along = places.replicas(LAB, SERVER, 24, inside, ("bridged", "nat", "published", "address"))
    assert [(one.name, one.path, one.url) for one in along] == [
        ("vm-1", "bridged", VM.url),
        ("container-2", "address", "http://10.9.8.49:8000"),
    ]


@pytest.mark.parametrize(("address", "moved"), [("10.9.8.2", False), ("10.9.7.2", True)])
def test_outputs_from_before_a_replacement_are_not_believed(address: str, moved: bool) -> None:
    """The server has another address than they say. One that is stopped has none."""
    contract = outputs.Contract(LAB, "tcg", "1", (SERVER,), (VM, CONTAINER), 1, 512)
    assert places.moved(contract, {FULL: address}) is moved
    assert places.moved(contract, {}) is False
    assert [one.name for one in places.exported(contract)] == ["vm-1", "container-2", "server-1"]


@pytest.mark.parametrize(
    ("replica", "state", "key_known", "problem", "hint"),
    [
        (VM, "running", True, None, None),
        (CONTAINER, "running", False, None, None),
        (None, "running", False, None, None),
        (
            VM,
            "running",
            False,
            "vm-1 runs, but was never configured",
            "./lab exec server-1 tail -n 50 /var/log/vvc/vm-1",
        ),
        (VM, "shut off", True, "vm-1 is shut off.", "./lab exec server-1 tail"),
        (VM, "", True, "vm-1 is gone.", "./lab up deployment"),
        (CONTAINER, "restarting", True, "container-2 is restarting.", "./lab exec server-1 docker logs --tail 50 cont"),
        (None, "exited", True, "The server server-1 is exited.", "./lab up deployment"),
    ],
)
def test_why_one_cannot_get_in(
    replica: outputs.Replica | None, state: str, key_known: bool, problem: str | None, hint: str | None
) -> None:
    """Said with the next step, which is never the command that has just failed."""
    found = places.closed(Entrance(LAB, SERVER, replica), state, key_known=key_known)
    if problem is None or hint is None:
        assert found is None
    else:
        assert found is not None
        assert found.problem.startswith(problem)
        assert (found.hint or "").startswith(hint)
