"""What doctor says of the labs' networks."""

from __future__ import annotations

from ipaddress import IPv4Network as Network
from pathlib import Path

import pytest

from infra import facts, plan
from labkit.setup import checks_network
from labkit.setup.checks_network import judge
from labkit.system import stack_files
from labkit.system.paths import CHECKOUT_ID

VPN = {"10.0.0.0/8": "interface tun0"}
OWN = str(plan.default_subnet(CHECKOUT_ID, "some"))
BRIDGE = plan.bridge_name(CHECKOUT_ID, "some")


def test_auto_beside_a_vpn_is_fine() -> None:
    """It says which network the lab will have."""
    found, hint = judge("some", {}, VPN, {}, "")
    assert hint == ""
    assert Network(found.removeprefix("some: ")).subnet_of(Network("172.16.0.0/12"))


def test_the_next_step_is_one_that_works() -> None:
    """The network that the hint names passes the check in its turn."""
    found, hint = judge("some", {"subnet": "10.200.7.0/24"}, VPN, {}, "")
    assert "overlaps 10.0.0.0/8, which interface tun0 uses" in found
    words = hint.split()
    assert words[:4] == ["pulumi", "config", "set", "subnet"]
    assert judge("some", {"subnet": words[4]}, VPN, {}, "")[1] == ""


def test_a_network_behind_nat_is_judged_as_well() -> None:
    """Its hint names its own key, and one that works."""
    found, hint = judge("some", {"paths": "all", "nat_subnet": "10.200.7.0/24"}, VPN, {}, "")
    assert "nat_subnet is '10.200.7.0/24': 10.200.7.0/24 overlaps 10.0.0.0/8, which interface tun0 uses" in found
    words = hint.split()
    assert words[:4] == ["pulumi", "config", "set", "nat_subnet"]
    assert judge("some", {"paths": "all", "nat_subnet": words[4]}, VPN, {}, "")[1] == ""


@pytest.mark.parametrize(
    ("reached_by", "good"), [(BRIDGE, True), ("", True), ("tun0", False)], ids=["bridge", "unknown", "vpn"]
)
def test_a_lab_that_is_up_is_judged_by_the_way_to_it(reached_by: str, good: bool) -> None:
    """A VPN that takes all of 10/8 leaves the narrower route alone; one with a table of its own may not."""
    found, hint = judge("some", {}, VPN, {"lan": OWN}, reached_by)
    assert OWN in found
    assert (hint == "") == good
    assert ("tun0" in found) != good


@pytest.mark.parametrize("given", ["10.255.3.0/24", "auto"])
def test_every_labs_configured_subnet_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Against routes and Docker networks of the machine."""
    monkeypatch.setattr(stack_files, "CHECKOUT", tmp_path)
    monkeypatch.setattr(checks_network, "_engine_host", lambda: "unix:///nowhere")
    monkeypatch.setattr(facts, "subnets", lambda _host, _bridge: ({"10.255.0.0/16": "Docker network b"}, {}))
    (tmp_path / "Pulumi.some.yaml").write_text(f"config:\n  vm-vs-container:subnet: {given}\n", encoding="utf-8")
    check = checks_network.subnets()
    assert check.ok == (given == "auto")
    assert check.ok or "which Docker network b uses" in check.found
    assert check.ok or check.hint == f"pulumi config set subnet {OWN} -s some"
