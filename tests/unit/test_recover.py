"""Which steps bring back what is gone, as data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labkit.progress import Quiet
from labkit.recover import Known, Steps, There, after_a_kill, inner_steps, known, outer_steps


def there(kind: str, name: str, number: int = 1) -> There:
    """An object; `number` tells it from another one of its name."""
    return There(kind, name, f"{name}-{number}")


OUTER = [Known(there(kind, f"lab-{kind}"), f"urn-{kind}", outer=True) for kind in ("container", "network", "volume")]
INNER = [
    Known(there(*thing), f"urn-{thing[1]}", outer=False)
    for thing in (
        ("container", "container-1"),
        ("domain", "vm-1"),
        ("disk", "base-1"),
        ("disk", "vm-1.qcow2"),
        ("pool", "lab"),
    )
]
STATE = [*OUTER, *INNER]
LAPTOP = frozenset(one.there for one in OUTER)
INSIDE = frozenset(one.there for one in INNER)
REFRESH = ("--refresh",)
ALL = ("urn-container", "urn-network", "urn-volume")


@pytest.mark.parametrize(
    ("gone", "steps"),
    [
        (set(), Steps()),
        ({there("container", "lab-container")}, Steps(first=ALL, up=REFRESH)),
        ({there("network", "lab-network")}, Steps(first=ALL, up=REFRESH)),
        (set(LAPTOP), Steps(first=ALL, up=REFRESH)),
    ],
)
def test_what_stands_on_the_laptop_comes_back_first(gone: set[There], steps: Steps) -> None:
    """All of it is looked at anew as soon as one is gone."""
    assert outer_steps(STATE, LAPTOP - gone) == steps


@pytest.mark.parametrize(
    ("gone", "steps"),
    [
        (set(), Steps()),
        ({there("container", "container-1")}, Steps(up=REFRESH)),
        ({there("domain", "vm-1")}, Steps(up=REFRESH)),
        ({there("disk", "base-1")}, Steps(up=REFRESH)),
        ({there("disk", "vm-1.qcow2")}, Steps(remove=(there("domain", "vm-1"),), up=REFRESH)),
        ({there("disk", "vm-1.qcow2"), there("domain", "vm-1")}, Steps(up=REFRESH)),
        (set(INSIDE), Steps(forget=("urn-base-1", "urn-vm-1.qcow2"), up=REFRESH)),
    ],
)
def test_what_is_gone_inside_a_server_is_refreshed(gone: set[There], steps: Steps) -> None:
    """A domain without its disk goes first, and so does the state of disks whose pool is gone."""
    assert inner_steps(STATE, INSIDE - gone) == steps


def test_what_a_killed_down_left_of_a_server_is_made_anew() -> None:
    """Network and volume are noted, the server is not: its volume goes, there is nothing to bring up before."""
    left = [one for one in OUTER if one.thing[0] != "container"]
    assert outer_steps(left, frozenset()) == Steps(up=REFRESH)
    assert outer_steps(left, LAPTOP) == Steps(remove=(there("volume", "lab-volume"),), up=REFRESH)


def test_an_empty_state_needs_nothing() -> None:
    """The first up of a lab."""
    assert outer_steps([], frozenset()) == inner_steps([], frozenset()) == Steps()


def test_a_disk_that_left_the_state_still_makes_its_domain_anew() -> None:
    """A refresh that failed at the domain has already dropped the disk."""
    state = [one for one in STATE if one.there != there("disk", "vm-1.qcow2")]
    steps = inner_steps(state, INSIDE - {there("disk", "vm-1.qcow2")})
    assert (steps.remove, steps.up) == ((there("domain", "vm-1"),), REFRESH)


def test_what_a_killed_up_made_goes_before_the_next_one() -> None:
    """In the order in which it can; what a person or an experiment made, and volumes with data, stay."""
    strays = {
        there("pool", "lab"),
        there("disk", "base-1a2b"),
        there("disk", "vm-2.qcow2"),
        there("domain", "vm-2"),
        there("network", "lab"),
        there("container", "container-2"),
    }
    others = {
        there("network", "bridge"),
        there("container", "by-hand"),
        there("domain", "mine"),
        there("volume", "container-2-data"),
    }
    assert inner_steps([], frozenset(strays | others)) == Steps(
        remove=(
            there("container", "container-2"),
            there("network", "lab"),
            there("domain", "vm-2"),
            there("disk", "base-1a2b"),
            there("disk", "vm-2.qcow2"),
            there("pool", "lab"),
        )
    )


def test_a_disk_whose_creation_failed_half_way_is_made_anew() -> None:
    """Pulumi has it in its state, with its errors; one that it is about to delete is let be."""
    half = Known(there("disk", "base-2"), "urn-base-2", outer=False, broken=True)
    going = Known(there("disk", "base-0"), "urn-base-0", outer=False, going=True)
    inside = INSIDE | {half.there, going.there}
    assert inner_steps([*STATE, half, going], inside) == Steps(remove=(half.there,), up=REFRESH)
    assert inner_steps([*STATE, going], INSIDE) == Steps()


REPLACED = [
    ("container", "container-1"),
    ("domain", "vm-1"),
    ("disk", "vm-1.qcow2"),
    ("network", "lab"),
    ("pool", "lab"),
]


@pytest.mark.parametrize("thing", REPLACED, ids=[kind for kind, _ in REPLACED])
def test_what_a_kill_left_in_the_midst_of_a_replacement_goes(thing: tuple[str, str]) -> None:
    """The old one is noted as deleted; the new one has its name, and nobody noted it. All else stays."""
    new = there(*thing, number=2)
    others = [one for one in STATE if one.thing != thing and thing[0] != "pool"]
    state = [*others, Known(there(*thing), "urn-again", outer=False, again=True)]
    inside_ = {one.there for one in others} | {new}
    users = [there("domain", "vm-1")] if thing == ("disk", "vm-1.qcow2") else []
    steps = inner_steps(state, inside_)
    assert set(steps.remove) == {new, *users}
    assert steps.forget == ()
    assert inner_steps(state, inside_ - {new}).remove == tuple(users)


def test_a_domain_that_went_with_its_disk_is_not_deleted_twice() -> None:
    """Both were deleted to be made anew, and the new disk is there, unnoted."""
    gone = [("domain", "vm-1"), ("disk", "vm-1.qcow2")]
    again = [Known(there(*one), f"urn-{one[1]}", outer=False, again=True) for one in gone]
    state = [*(one for one in STATE if one.thing not in gone), *again]
    inside_ = {one.there for one in state if one not in again} | {there("disk", "vm-1.qcow2", 2)}
    steps = inner_steps(state, inside_)
    assert steps == Steps(forget=("urn-vm-1",), remove=(there("disk", "vm-1.qcow2", 2),))
    # One that is there still is Pulumi's to delete; so is one whose disk stays.
    assert inner_steps(state, inside_ | {again[0].there}).forget == ()
    assert inner_steps([*STATE, again[0]], INSIDE).forget == ()


def test_a_key_that_is_the_same_as_before_does_not_make_a_new_disk_the_old_one() -> None:
    """A disk's id is its file; what was deleted to be made anew is not noted, whatever its id."""
    again = Known(there("disk", "vm-1.qcow2"), "urn-again", outer=False, again=True)
    state = [one for one in STATE if one.thing not in {("disk", "vm-1.qcow2"), ("domain", "vm-1")}]
    inside_ = {one.there for one in state} | {again.there}
    assert inner_steps([*state, again], inside_).remove == (again.there,)


def test_what_another_has_replaced_is_noted_until_pulumi_deletes_it() -> None:
    """Both are in the state, each by its id; a third one of their name is nobody's."""
    old = Known(there("container", "container-1", 0), "urn-container-1", outer=False, going=True)
    assert inner_steps([*STATE, old], {*INSIDE, old.there}) == Steps()
    third = there("container", "container-1", 3)
    assert inner_steps([*STATE, old], {*INSIDE, old.there, third}).remove == (third,)


def test_another_one_of_the_same_name_is_not_what_was_noted() -> None:
    """Whoever made it: what the state notes is gone, and its name is taken."""
    mine, other = there("container", "container-1"), there("container", "container-1", 2)
    assert inner_steps(STATE, INSIDE - {mine} | {other}) == Steps(remove=(other,), up=REFRESH)
    server = there("container", "lab-container", 2)
    assert outer_steps(STATE, LAPTOP - {there("container", "lab-container")} | {server}) == Steps(ALL, up=REFRESH)


def test_a_pool_that_is_not_the_noted_one_goes_with_what_reads_through_it() -> None:
    """The disks' files stay: they are taken over when disks of their names are made in the new pool."""
    other = there("pool", "lab", 2)
    steps = inner_steps(STATE, INSIDE - {there("pool", "lab")} | {other})
    assert steps == Steps(forget=("urn-base-1", "urn-vm-1.qcow2"), remove=(there("domain", "vm-1"), other), up=REFRESH)


def test_a_server_that_was_deleted_to_be_made_anew_is_no_server_that_is_gone() -> None:
    """Its volumes stay with what is on them; Pulumi makes it."""
    again = [Known(one.there, one.urn, outer=True, again=one.thing[0] == "container") for one in OUTER]
    there_ = LAPTOP - {there("container", "lab-container")}
    assert outer_steps([*again, *INNER], there_) == outer_steps(again, there_) == Steps()
    # With its network gone as well it comes back before the inside is refreshed.
    assert outer_steps([*again, *INNER], there_ - {there("network", "lab-network")}) == Steps(first=ALL, up=REFRESH)


def test_the_state_is_read_by_kind_and_by_engine() -> None:
    """Components and providers do not count; what failed half-way and what is about to go is marked."""

    def resource(kind: str, provider: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "urn": f"urn-{kind}", "provider": provider, "id": "1", "inputs": {"name": "x"}, **more}

    found = known(
        [
            resource("docker:index/container:Container", "urn::pulumi:providers:docker::engine::1"),
            resource("libvirt:index/domain:Domain", "urn::pulumi:providers:libvirt::server-1-libvirt::2"),
            resource("docker:index/network:Network", "urn::pulumi:providers:docker::engine::1", delete=True),
            resource("libvirt:index/volume:Volume", "urn::pulumi:providers:libvirt::x::2", initErrors=["cut off"]),
            resource("docker:index/volume:Volume", "urn::pulumi:providers:docker::engine::1", pendingReplacement=True),
            resource("pulumi:pulumi:Stack", ""),
        ]
    )
    assert found == [
        Known(There("container", "x", "1"), "urn-docker:index/container:Container", outer=True),
        Known(There("domain", "x", "1"), "urn-libvirt:index/domain:Domain", outer=False),
        Known(There("network", "x", "1"), "urn-docker:index/network:Network", outer=True, going=True),
        Known(There("disk", "x", "1"), "urn-libvirt:index/volume:Volume", outer=False, broken=True),
        Known(There("volume", "x", "1"), "urn-docker:index/volume:Volume", outer=True, again=True),
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
        ids=lambda _lab: ("known",),
        forget_pending=lambda lab: seen.append(f"forget {lab}"),
    )
    ready: Any = SimpleNamespace(pulumi=pulumi, machine=SimpleNamespace(docker_host="unix:///x"))

    def remove(_machine: object, lab: str, known: object) -> list[str]:
        seen.append(f"remove {lab} {known}")
        return ["removed"]

    after_a_kill(ready, "x", Quiet(), remove, lambda what: seen.append(f"told {what}"))
    assert seen == done
