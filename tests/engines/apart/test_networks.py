"""The networks of a machine with a VPN, as the kernel tells them: in a network namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network as Network
from pathlib import Path

import pytest

from labkit.system.paths import CHECKOUT_ID

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[3]
NAMESPACE = f"vvc-vpn-test-{CHECKOUT_ID}"
LOOK = """
import json
from infra import facts, networks
in_use, own = facts.subnets("unix:///nowhere", {"vvc1": "lan"})
print(json.dumps([in_use, str(networks.choose("1a2b3c4d", "deployment", in_use))]))
"""


def run(*words: str) -> str:
    return subprocess.run(
        ["ip", "netns", "exec", NAMESPACE, *words],
        check=True, capture_output=True, text=True, encoding="utf-8", timeout=120, cwd=ROOT,
    ).stdout  # fmt: skip


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    """With one interface, vpn, that is up, and another, off, that is not."""
    # One may be left of a run that was killed.
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, timeout=60, capture_output=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=60)
    try:
        run("sh", "-ec", "ip link add vpn type veth peer name far; ip link set vpn up; ip link set far up")
        run("sh", "-ec", "ip link add off type bridge; ip address add 172.17.0.1/16 dev off")
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True, timeout=60)


@pytest.mark.parametrize("table", ["main", "51820"])
def test_a_vpn_that_takes_all_of_10_is_seen_in_any_table(table: str) -> None:
    """With a default route and its halves, which take nothing; and an interface that is down keeps its network."""
    for route in ("10.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1"):
        run("ip", "route", "add", route, "dev", "vpn", "table", table)
    in_use, chosen = json.loads(run(sys.executable, "-c", LOOK))
    where = "" if table == "main" else f" (routing table {table})"
    assert in_use["10.0.0.0/8"] == f"interface vpn{where}"
    assert in_use["172.17.0.0/16"] == "interface off"
    assert not {"0.0.0.0/1", "128.0.0.0/1"} & set(in_use)
    assert Network(chosen).subnet_of(Network("172.16.0.0/12"))
    assert not Network(chosen).overlaps(Network("172.17.0.0/16"))


def test_where_all_is_taken_nothing_is_chosen() -> None:
    """By three routes of a VPN."""
    for route in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        run("ip", "route", "add", route, "dev", "vpn")
    assert json.loads(run(sys.executable, "-c", LOOK))[1] == "None"
