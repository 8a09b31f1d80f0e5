"""Which steps bring back what is gone, as data."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.recover import Known, Steps, inner_steps, known, outer_steps

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
        ({("disk", "vm-1.qcow2")}, Steps(undefine=("vm-1",), up=REFRESH)),
        ({("disk", "vm-1.qcow2"), ("domain", "vm-1")}, Steps(up=REFRESH)),
        (set(INSIDE), Steps(forget=("urn-base-1", "urn-vm-1.qcow2"), up=REFRESH)),
    ],
)
def test_what_is_gone_inside_a_server_is_refreshed(gone: set[tuple[str, str]], steps: Steps) -> None:
    """A domain without its disk goes first, and so does the state of disks whose pool is gone."""
    assert inner_steps(STATE, INSIDE - gone) == steps


def test_an_empty_state_needs_nothing() -> None:
    """The first up of a lab."""
    assert outer_steps([], frozenset()) == inner_steps([], frozenset()) == Steps()


def test_a_disk_that_left_the_state_still_makes_its_domain_anew() -> None:
    """A refresh that failed at the domain has already dropped the disk."""
    state = [one for one in STATE if one.thing != ("disk", "vm-1.qcow2")]
    assert inner_steps(state, INSIDE - {("disk", "vm-1.qcow2")}).undefine == ("vm-1",)


def test_the_state_is_read_by_kind_and_by_engine() -> None:
    """What is about to be deleted, components and providers do not count."""

    def resource(kind: str, provider: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "urn": f"urn-{kind}", "provider": provider, "inputs": {"name": "x"}, **more}

    found = known(
        [
            resource("docker:index/container:Container", "urn::pulumi:providers:docker::engine::1"),
            resource("libvirt:index/domain:Domain", "urn::pulumi:providers:libvirt::server-1-libvirt::2"),
            resource("docker:index/network:Network", "urn::pulumi:providers:docker::engine::1", delete=True),
            resource("pulumi:pulumi:Stack", ""),
        ]
    )
    assert [(one.thing, one.outer) for one in found] == [(("container", "x"), True), (("domain", "x"), False)]
