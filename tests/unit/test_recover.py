"""Which steps bring back what is gone, as data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labkit.progress import Quiet
from labkit.recover import Known, Steps, after_a_kill, inner_steps, known, outer_steps

OUTER = [Known((kind, f"lab-{kind}"), f"urn-{kind}", outer=True) for kind in ("container", "network", "volume")]
INNER = [
    Known(thing, f"urn-{thing[1]}", outer=False)
    for thing in (
        ("container", "container-1"),
        ("domain", "vm-1"),
        ("disk", "base-1"),
        ("disk", "vm-1.qcow2"),
        ("pool", "lab"),
    )
]
STATE = [*OUTER, *INNER]
LAPTOP = frozenset(one.thing for one in OUTER)
INSIDE = frozenset(one.thing for one in INNER)
REFRESH = ("--refresh",)
ALL = ("urn-container", "urn-network", "urn-volume")


@pytest.mark.parametrize(
    ("gone", "steps"),
    [
        (set(), Steps()),
        ({("container", "lab-container")}, Steps(first=ALL, up=REFRESH)),
        ({("network", "lab-network")}, Steps(first=ALL, up=REFRESH)),
        (set(LAPTOP), Steps(first=ALL, up=REFRESH)),
    ],
)
def test_what_stands_on_the_laptop_comes_back_first(gone: set[tuple[str, str]], steps: Steps) -> None:
    """All of it is looked at anew as soon as one is gone."""
    assert outer_steps(STATE, LAPTOP - gone) == steps


@pytest.mark.parametrize(
    ("gone", "steps"),
    [
        (set(), Steps()),
        ({("container", "container-1")}, Steps(up=REFRESH)),
        ({("domain", "vm-1")}, Steps(up=REFRESH)),
        ({("disk", "base-1")}, Steps(up=REFRESH)),
        ({("disk", "vm-1.qcow2")}, Steps(remove=(("domain", "vm-1"),), up=REFRESH)),
        ({("disk", "vm-1.qcow2"), ("domain", "vm-1")}, Steps(up=REFRESH)),
        (set(INSIDE), Steps(forget=("urn-base-1", "urn-vm-1.qcow2"), up=REFRESH)),
    ],
)
def test_what_is_gone_inside_a_server_is_refreshed(gone: set[tuple[str, str]], steps: Steps) -> None:
    """A domain without its disk goes first, and so does the state of disks whose pool is gone."""
    assert inner_steps(STATE, INSIDE - gone) == steps


def test_what_a_killed_down_left_of_a_server_is_made_anew() -> None:
    """Network and volume are noted, the server is not: its volume goes, there is nothing to bring up before."""
    left = [one for one in OUTER if one.thing[0] != "container"]
    assert outer_steps(left, frozenset()) == Steps(up=REFRESH)
    assert outer_steps(left, LAPTOP) == Steps(remove=(("volume", "lab-volume"),), up=REFRESH)


def test_an_empty_state_needs_nothing() -> None:
    """The first up of a lab."""
    assert outer_steps([], frozenset()) == inner_steps([], frozenset()) == Steps()


def test_a_disk_that_left_the_state_still_makes_its_domain_anew() -> None:
    """A refresh that failed at the domain has already dropped the disk."""
    state = [one for one in STATE if one.thing != ("disk", "vm-1.qcow2")]
    steps = inner_steps(state, INSIDE - {("disk", "vm-1.qcow2")})
    assert (steps.remove, steps.up) == ((("domain", "vm-1"),), REFRESH)


def test_what_a_killed_up_made_goes_before_the_next_one() -> None:
    """In the order in which it can; what a person or an experiment made, and volumes with data, stay."""
    strays = {
        ("pool", "lab"),
        ("disk", "base-1a2b"),
        ("disk", "vm-2.qcow2"),
        ("domain", "vm-2"),
        ("network", "lab"),
        ("container", "container-2"),
    }
    others = {("network", "bridge"), ("container", "by-hand"), ("domain", "mine"), ("volume", "container-2-data")}
    assert inner_steps([], frozenset(strays | others)) == Steps(
        remove=(
            ("container", "container-2"),
            ("network", "lab"),
            ("domain", "vm-2"),
            ("disk", "base-1a2b"),
            ("disk", "vm-2.qcow2"),
            ("pool", "lab"),
        )
    )


def test_a_disk_whose_creation_failed_half_way_is_made_anew() -> None:
    """Pulumi has it in its state, with its errors; one that it is about to delete is let be."""
    half = Known(("disk", "base-2"), "urn-base-2", outer=False, broken=True)
    going = Known(("disk", "base-0"), "urn-base-0", outer=False, going=True)
    inside = INSIDE | {half.thing, going.thing}
    assert inner_steps([*STATE, half, going], inside) == Steps(remove=(half.thing,), up=REFRESH)
    assert inner_steps([*STATE, going], INSIDE) == Steps()


def test_the_state_is_read_by_kind_and_by_engine() -> None:
    """Components and providers do not count; what failed half-way and what is about to go is marked."""

    def resource(kind: str, provider: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "urn": f"urn-{kind}", "provider": provider, "inputs": {"name": "x"}, **more}

    found = known(
        [
            resource("docker:index/container:Container", "urn::pulumi:providers:docker::engine::1"),
            resource("libvirt:index/domain:Domain", "urn::pulumi:providers:libvirt::server-1-libvirt::2"),
            resource("docker:index/network:Network", "urn::pulumi:providers:docker::engine::1", delete=True),
            resource("libvirt:index/volume:Volume", "urn::pulumi:providers:libvirt::x::2", initErrors=["cut off"]),
            resource("pulumi:pulumi:Stack", ""),
        ]
    )
    assert found == [
        Known(("container", "x"), "urn-docker:index/container:Container", outer=True),
        Known(("domain", "x"), "urn-libvirt:index/domain:Domain", outer=False),
        Known(("network", "x"), "urn-docker:index/network:Network", outer=True, going=True),
        Known(("disk", "x"), "urn-libvirt:index/volume:Volume", outer=False, broken=True),
    ]


@pytest.mark.parametrize(
    ("at_work", "done"),
    [(False, ["release x", "remove x ('known',)", "told removed", "forget x"]), (True, ["release x"])],
    ids=["nobody at work", "a Pulumi at work"],
)
def test_what_a_kill_left_is_cleared_unless_a_pulumi_is_at_work(at_work: bool, done: list[str]) -> None:
    """Things go before what Pulumi was in the midst of is forgotten; a lock of the dead goes first."""
    seen: list[str] = []
    pulumi = SimpleNamespace(
        release_stale_lock=lambda lab: seen.append(f"release {lab}"),
        at_work=lambda _lab: at_work,
        names=lambda _lab: ("known",),
        forget_pending=lambda lab: seen.append(f"forget {lab}"),
    )
    ready: Any = SimpleNamespace(pulumi=pulumi, machine=SimpleNamespace(docker_host="unix:///x"))

    def remove(_machine: object, lab: str, known: object) -> list[str]:
        seen.append(f"remove {lab} {known}")
        return ["removed"]

    after_a_kill(ready, "x", Quiet(), remove, lambda what: seen.append(f"told {what}"))
    assert seen == done
