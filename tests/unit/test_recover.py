"""Which steps bring back what is gone, as data."""

from __future__ import annotations

import dataclasses
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.lifecycle.heal import after_a_kill
from labkit.lifecycle.inside import REMOVE, There
from labkit.lifecycle.missing import Known, Steps, in_no_server, inner_steps, known, outer_steps
from labkit.system.errors import LabError
from labkit.system.progress import Quiet
from tests.unit.recovering import ALL, HERE, INNER, INSIDE, LAPTOP, OUTER, REFRESH, STATE, there


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
    assert outer_steps(STATE, LAPTOP - gone, [HERE]) == steps


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
    assert inner_steps(STATE, HERE, INSIDE - gone) == steps


def test_a_domain_whose_network_is_gone_goes_first() -> None:
    """The provider cannot read it; another domain stays. One that a person stopped is still there."""
    nat = Known(there("nat-network", "nat"), "urn-nat", server=HERE)
    behind = Known(there("domain", "vm-2"), "urn-vm-2", server=HERE, needs=("urn-nat", "urn-base-1"))
    state, inside = [*STATE, nat, behind], {*INSIDE, nat.there, behind.there, there("disk", "vm-2.qcow2")}
    state.append(Known(there("disk", "vm-2.qcow2"), "urn-disk", server=HERE))
    assert inner_steps(state, HERE, inside) == Steps()
    assert inner_steps(state, HERE, inside - {nat.there}) == Steps(remove=(behind.there,), up=REFRESH)


def test_a_container_whose_network_is_gone_goes_first() -> None:
    """The provider does not see that it is on none; containers on other networks stay."""
    lan = Known(there("network", "lan"), "urn-lan", server=HERE)
    on_it = Known(there("container", "container-2"), "urn-container-2", server=HERE, needs=("urn-lan",))
    state, inside = [*STATE, lan, on_it], {*INSIDE, lan.there, on_it.there}
    assert inner_steps(state, HERE, inside - {lan.there}) == Steps(remove=(on_it.there,), up=REFRESH)


VIRSH = """#!/bin/sh
there=$HOME/there defined=$HOME/defined
case $1 in
destroy | pool-destroy | net-destroy) rm "$there" 2> /dev/null || exit 1; [ -e "$defined" ] || exit 0 ;;
dominfo | pool-info | net-info) [ -e "$there" ] || [ -e "$defined" ] ;;
undefine | pool-undefine | net-undefine) [ ! -e "$HOME/held" ] && rm "$defined" ;;
esac
"""


@pytest.mark.parametrize("kind", ["domain", "nat-network", "pool"])
@pytest.mark.parametrize(
    ("state", "ok"),
    [({"there"}, True), ({"defined"}, True), ({"there", "defined"}, True), (set(), True), ({"defined", "held"}, False)],
)
def test_what_libvirt_has_no_definition_of_can_be_removed_too(
    kind: str, state: set[str], ok: bool, tmp_path: Path
) -> None:
    """As experiments start it in another server. What could not be removed is told."""
    (tmp_path / "virsh").write_text(VIRSH, encoding="utf-8")
    (tmp_path / "virsh").chmod(0o755)
    for file in state:
        (tmp_path / file).touch()
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["sh", "-c", REMOVE[kind], "sh", "x"], env=variables, check=False, timeout=10)
    assert (done.returncode == 0) is ok
    assert {file.name for file in tmp_path.iterdir()} == ({"virsh"} if ok else {"virsh", *state})


def test_what_a_killed_down_left_of_a_server_is_made_anew() -> None:
    """Network and volume are noted, the server is not: its volume goes, there is nothing to bring up before."""
    left = [one for one in OUTER if one.thing[0] != "container"]
    assert outer_steps(left, frozenset(), [HERE]) == Steps(up=REFRESH)
    assert outer_steps(left, LAPTOP, [HERE]) == Steps(remove=(there("volume", "lab-volume"),), up=REFRESH)


def test_an_empty_state_needs_nothing() -> None:
    """The first up of a lab."""
    assert outer_steps([], frozenset(), [HERE]) == inner_steps([], HERE, frozenset()) == Steps()


def test_a_disk_that_left_the_state_still_makes_its_domain_anew() -> None:
    """A refresh that failed at the domain has already dropped the disk."""
    state = [one for one in STATE if one.there != there("disk", "vm-1.qcow2")]
    steps = inner_steps(state, HERE, INSIDE - {there("disk", "vm-1.qcow2")})
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
    assert inner_steps([], HERE, frozenset(strays | others)) == Steps(
        remove=(
            there("domain", "vm-2"),
            there("disk", "base-1a2b"),
            there("disk", "vm-2.qcow2"),
            there("pool", "lab"),
            there("container", "container-2"),
            there("network", "lab"),
        )
    )


def test_a_disk_whose_creation_failed_half_way_is_made_anew() -> None:
    """Pulumi has it in its state, with its errors; one that it is about to delete is let be."""
    half = Known(there("disk", "base-2"), "urn-base-2", server=HERE, broken=True)
    going = Known(there("disk", "base-0"), "urn-base-0", server=HERE, going=True)
    inside = INSIDE | {half.there, going.there}
    assert inner_steps([*STATE, half, going], HERE, inside) == Steps(remove=(half.there,), up=REFRESH)
    assert inner_steps([*STATE, going], HERE, INSIDE) == Steps()


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
    state = [*others, Known(there(*thing), "urn-again", server=HERE, again=True)]
    inside_ = {one.there for one in others} | {new}
    users = [there("domain", "vm-1")] if thing == ("disk", "vm-1.qcow2") else []
    steps = inner_steps(state, HERE, inside_)
    assert set(steps.remove) == {new, *users}
    assert steps.forget == ()
    assert inner_steps(state, HERE, inside_ - {new}).remove == tuple(users)


def test_a_domain_that_went_with_its_disk_is_not_deleted_twice() -> None:
    """Both were deleted to be made anew, and the new disk is there, unnoted."""
    gone = [("domain", "vm-1"), ("disk", "vm-1.qcow2")]
    again = [Known(there(*one), f"urn-{one[1]}", server=HERE, again=True) for one in gone]
    state = [*(one for one in STATE if one.thing not in gone), *again]
    inside_ = {one.there for one in state if one not in again} | {there("disk", "vm-1.qcow2", 2)}
    steps = inner_steps(state, HERE, inside_)
    assert steps == Steps(forget=("urn-vm-1",), remove=(there("disk", "vm-1.qcow2", 2),))
    # One that is there still is Pulumi's to delete; so is one whose disk stays.
    assert inner_steps(state, HERE, inside_ | {again[0].there}).forget == ()
    assert inner_steps([*STATE, again[0]], HERE, INSIDE).forget == ()


def test_a_key_that_is_the_same_as_before_does_not_make_a_new_disk_the_old_one() -> None:
    """A disk's id is its file; what was deleted to be made anew is not noted, whatever its id."""
    again = Known(there("disk", "vm-1.qcow2"), "urn-again", server=HERE, again=True)
    state = [one for one in STATE if one.thing not in {("disk", "vm-1.qcow2"), ("domain", "vm-1")}]
    inside_ = {one.there for one in state} | {again.there}
    assert inner_steps([*state, again], HERE, inside_).remove == (again.there,)


def test_what_another_has_replaced_is_noted_until_pulumi_deletes_it() -> None:
    """Both are in the state, each by its id; a third one of their name is nobody's."""
    old = Known(there("container", "container-1", 0), "urn-container-1", server=HERE, going=True)
    assert inner_steps([*STATE, old], HERE, {*INSIDE, old.there}) == Steps()
    third = there("container", "container-1", 3)
    assert inner_steps([*STATE, old], HERE, {*INSIDE, old.there, third}).remove == (third,)


def test_another_one_of_the_same_name_is_not_what_was_noted() -> None:
    """Whoever made it: what the state notes is gone, and its name is taken."""
    mine, other = there("container", "container-1"), there("container", "container-1", 2)
    assert inner_steps(STATE, HERE, INSIDE - {mine} | {other}) == Steps(remove=(other,), up=REFRESH)
    server = there("container", "lab-container", 2)
    assert outer_steps(STATE, LAPTOP - {there("container", "lab-container")} | {server}, [HERE]) == Steps(
        ALL, up=REFRESH
    )


def test_a_pool_that_is_not_the_noted_one_goes_with_what_reads_through_it() -> None:
    """The disks' files stay: they are taken over when disks of their names are made in the new pool."""
    other = there("pool", "lab", 2)
    steps = inner_steps(STATE, HERE, INSIDE - {there("pool", "lab")} | {other})
    assert steps == Steps(forget=("urn-base-1", "urn-vm-1.qcow2"), remove=(there("domain", "vm-1"), other), up=REFRESH)


def test_a_server_that_was_deleted_to_be_made_anew_is_no_server_that_is_gone() -> None:
    """Its volumes stay with what is on them; Pulumi makes it."""
    again = [dataclasses.replace(one, again=one.thing[0] == "container") for one in OUTER]
    there_ = LAPTOP - {there("container", "lab-container")}
    assert outer_steps([*again, *INNER], there_, [HERE]) == outer_steps(again, there_, [HERE]) == Steps()
    # With its network gone as well it comes back before the inside is refreshed.
    there_ -= {there("network", "lab-network")}
    assert outer_steps([*again, *INNER], there_, [HERE]) == Steps(first=ALL, up=REFRESH)


def test_the_state_is_read_by_kind_and_by_engine() -> None:
    """Components and providers do not count; what failed half-way and what is about to go is marked."""

    def resource(kind: str, provider: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "urn": f"urn-{kind}", "provider": provider, "id": "1", "inputs": {"name": "x"}, **more}

    found = known(
        [
            resource("docker:index/container:Container", "urn::pulumi:providers:docker::engine::1"),
            resource(
                "libvirt:index/domain:Domain",
                "urn:pulumi:x::y::z:index:Server$pulumi:providers:libvirt::server-1-libvirt::2",
            ),
            resource("docker:index/network:Network", "urn::pulumi:providers:docker::engine::1", delete=True),
            resource(
                "libvirt:index/volume:Volume",
                "urn:pulumi:x::y::z:index:Server$pulumi:providers:libvirt::server-1-libvirt::2",
                initErrors=["cut off"],
            ),
            resource("docker:index/volume:Volume", "urn::pulumi:providers:docker::engine::1", pendingReplacement=True),
            resource("pulumi:pulumi:Stack", ""),
        ]
    )
    assert found == [
        Known(There("container", "x", "1"), "urn-docker:index/container:Container"),
        Known(There("domain", "x", "1"), "urn-libvirt:index/domain:Domain", server=HERE),
        Known(There("network", "x", "1"), "urn-docker:index/network:Network", going=True),
        Known(There("disk", "x", "1"), "urn-libvirt:index/volume:Volume", server=HERE, broken=True),
        Known(There("volume", "x", "1"), "urn-docker:index/volume:Volume", again=True),
    ]


@pytest.mark.parametrize(
    ("at_work", "done"),
    [(False, ["claim x", "remove x ('known',)", "told removed", "forget x"]), (True, ["claim x"])],
    ids=["nobody at work", "a Pulumi at work"],
)
def test_what_a_kill_left_is_cleared_unless_a_pulumi_is_at_work(at_work: bool, done: list[str]) -> None:
    """Things go before what Pulumi was in the midst of is forgotten; a lock of the dead goes first."""
    seen: list[str] = []

    def claim(lab: str) -> bool:
        seen.append(f"claim {lab}")
        if at_work:
            raise LabError("A Pulumi that runs holds the stack x.")
        return True

    pulumi = SimpleNamespace(
        claim=claim,
        ids=lambda _lab: ("known",),
        forget_pending=lambda lab: seen.append(f"forget {lab}"),
    )
    ready: Any = SimpleNamespace(pulumi=pulumi, machine=SimpleNamespace(docker_host="unix:///x"))

    def remove(_machine: object, lab: str, known: object) -> list[str]:
        seen.append(f"remove {lab} {known}")
        return ["removed"]

    with pytest.raises(LabError) if at_work else nullcontext():
        after_a_kill(ready, "x", Quiet(), remove, lambda what: seen.append(f"told {what}"))
    assert seen == done


def test_what_was_in_a_server_that_is_not_noted_is_what_its_providers_made() -> None:
    """A killed `up` that made a server anew noted the rest; a server that is noted takes what is in it along."""

    def urn(kind: str, name: str) -> str:
        return f"urn:pulumi:x::vm-vs-container::vm-vs-container:index:Server${kind}::{name}"

    def state(server: str) -> list[dict[str, Any]]:
        return [
            {"urn": urn(f"pulumi:providers:{kind}", f"{server}-{kind}"), "type": f"pulumi:providers:{kind}"}
            for kind in ("libvirt", "docker")
        ]

    container = "docker:index/container:Container"
    first = {"urn": urn(container, "server-1"), "type": container, "inputs": {"name": "vvc-x-server-1"}}
    engine = {
        "urn": "urn:pulumi:x::vm-vs-container::pulumi:providers:docker::engine",
        "type": "pulumi:providers:docker",
    }
    second = state("server-2")
    assert in_no_server([engine, first, *state("server-1"), *second]) == [one["urn"] for one in second]
    assert in_no_server([engine, first, *state("server-1")]) == []
