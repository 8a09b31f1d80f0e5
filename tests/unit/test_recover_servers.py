"""Which steps bring back what is gone of one server among several, as data."""

from __future__ import annotations

import dataclasses

import pytest

from infra.plan import MAX_SERVERS
from infra.settings import servers as wanted
from labkit.lifecycle.inside import There
from labkit.lifecycle.missing import Known, Steps, inner_steps, outer_steps, servers_gone, serving_gone, unnoted
from labkit.lifecycle.servers import prefix
from tests.unit.recovering import OUTER, REFRESH, there


def outside(server: str) -> list[Known]:
    """What stands of a server on the laptop's engine, as Pulumi has it."""
    urn = "urn:pulumi:deployment::vm-vs-container::vm-vs-container:index:Server$docker:index/{0}::" + server
    container = Known(there("container", f"vvc-1-deployment-{server}"), urn.format("container:Container"))
    volume = there("volume", f"vvc-1-deployment-{server}-libvirt-data")
    return [container, Known(volume, urn.format("volume:Volume") + "-libvirt-data")]


def test_a_server_comes_back_without_the_others_being_looked_at() -> None:
    """With what all of them stand on; all, where that is gone."""
    lan = Known(there("network", "vvc-1-deployment-lan"), "urn:pulumi:deployment::docker:index/network:Network::lan")
    one, two = outside("server-1"), outside("server-2")
    state = [lan, *one, *two]
    laptop = {known_.there for known_ in state}
    both = ["server-1", "server-2"]
    assert outer_steps(state, laptop, both) == Steps()
    of_two = tuple(known_.urn for known_ in (lan, *two))
    assert outer_steps(state, laptop - {two[0].there}, both) == Steps(first=of_two, up=REFRESH)
    everything = tuple(known_.urn for known_ in state)
    assert outer_steps(state, laptop - {lan.there}, both) == Steps(first=everything, up=REFRESH)


def test_nothing_comes_back_of_a_server_that_the_lab_is_not_to_have() -> None:
    """An experiment's that was killed: Pulumi could not make it anew from a program that has none. What is left goes
    with the next `up`, which is told to look first."""
    one, two = outside("server-1"), outside("server-2")
    laptop = {known_.there for known_ in (*one, *two)}
    assert outer_steps([*one, *two], laptop - {two[0].there}, ["server-1"]) == Steps(up=REFRESH)
    first = tuple(known_.urn for known_ in one)
    for gone in ({one[0].there}, {one[0].there, two[0].there}):
        assert outer_steps([*one, *two], laptop - gone, ["server-1"]) == Steps(first=first, up=REFRESH)


def test_the_volumes_of_a_server_that_a_killed_down_has_removed_are_made_anew() -> None:
    """Among servers that are still noted. What was in it is in them, and would be in the way; what servers share stays
    while one of them is noted, and so does all of a server of which something is."""
    one, two = outside("server-1"), outside("server-2")
    storage = Known(there("volume", "vvc-1-failover-vm-storage"), "urn::vm-storage")
    shares = dataclasses.replace(two[0], needs=(storage.urn,))
    laptop = {known_.there for known_ in (*one, *two, storage)}
    both = ["server-1", "server-2"]
    assert outer_steps([one[1], shares, two[1], storage], laptop, both) == Steps(remove=(one[1].there,), up=REFRESH)
    both_bare = tuple(sorted((one[1].there, storage.there)))
    assert outer_steps([one[1], *two, storage], laptop, both) == Steps(remove=both_bare, up=REFRESH)
    inside = Known(there("pool", "lab"), "urn::pool", server="server-1")
    assert outer_steps([one[1], *two, storage, inside], laptop, both) == Steps()
    anew = dataclasses.replace(one[0], again=True)
    assert outer_steps([anew, one[1], shares, two[1], storage], laptop, both) == Steps()


def test_what_serves_servers_takes_its_volume_over() -> None:
    """Though it is noted no more, as when an `up` was killed that had seen that it is gone."""
    data = Known(
        there("volume", "vvc-1-failover-registry-data"),
        "urn:pulumi:failover::docker:index/volume:Volume::registry-data",
    )
    state = [data, *outside("server-1")]
    assert outer_steps(state, {known_.there for known_ in state}, ["server-1", "registry"]) == Steps()


def test_what_serves_clusters_comes_back_before_they_are_waited_for() -> None:
    """Not what another has replaced; and with the rest, where what all stand on is gone."""
    lan = Known(there("network", "vvc-1-failover-lan"), "urn:pulumi:failover::docker:index/network:Network::lan")
    edge, power = (
        Known(
            there("container", f"vvc-1-failover-{role}"),
            f"urn:pulumi:failover::docker:container::{role}",
        )
        for role in ("edge", "power")
    )
    one = outside("server-1")
    state = [lan, edge, power, *one, dataclasses.replace(edge, there=there("container", "former"), going=True)]
    laptop = {known_.there for known_ in state[:-1]}
    assert serving_gone(state, laptop) == []
    assert serving_gone(state, laptop - {one[0].there}) == []
    assert serving_gone(state, laptop - {power.there, one[0].there}) == [power.urn]
    assert serving_gone(state, laptop - {power.there, lan.there}) == []


def test_clusters_are_waited_for_where_a_server_is_gone() -> None:
    """Noted or not; by its name, so that one that stands in its place counts; not what serves them."""
    made = [there("container", f"{prefix('failover')}{name}") for name in ("server-1", "server-10", "edge")]
    volume = there("volume", f"{prefix('failover')}server-2")
    assert servers_gone("failover", ["server-1", "server-2"], [*made, volume]) == ["server-2"]
    assert servers_gone("failover", ["server-1", "server-10"], made) == []


def test_what_the_state_does_not_hold_is_made_with_what_depends_on_it() -> None:
    """By its name and the names of its parts, though it be noted that there is such a group."""
    noted = [
        {"urn": f"urn:pulumi:failover::p::t::{name}", "custom": name != "server-1"}
        for name in ("server-2", "server-1", "server-1-docker", "edge")
    ]
    assert unnoted(noted, ("server-2", "edge")) == []
    words = unnoted(noted, ("sockets", "server-1", "server-2"))
    assert words[1::2] == ["**::sockets", "**::sockets-*", "**::server-1", "**::server-1-*"]
    assert {*words[::2]} == {"--target"}


MOST = MAX_SERVERS
"""All that any lab may have."""


@pytest.mark.parametrize(
    ("value", "number"), [(None, 1), ("2", 2), (2, 2), ("0", MOST), ("two", MOST), ("9999999", MOST)]
)
def test_the_servers_that_a_lab_is_to_have(value: object, number: int) -> None:
    """As its configuration says; where that says nothing that can be used, none is given up."""
    found = wanted({} if value is None else {"servers": value})
    assert found == [f"server-{index + 1}" for index in range(number)]


def three() -> dict[str, list[Known]]:
    """What a state notes of three servers: one with VMs of its own, one with containers alone, one with a VM whose
    disk lies in the first one's pool, which it shares."""

    def noted(server: str, *things: tuple[str, str]) -> list[Known]:
        return [Known(There(*thing, f"{server}-{thing[1]}"), f"urn-{server}-{thing[1]}", server) for thing in things]

    disks = [("disk", "base-1"), ("disk", "vm-1.qcow2"), ("disk", "vm-2.qcow2")]
    return {
        "server-1": noted("server-1", ("pool", "lab"), *disks, ("domain", "vm-1")),
        "server-2": noted("server-2", ("network", "lab"), ("container", "container-1")),
        "server-3": noted("server-3", ("domain", "vm-2")),
    }


@pytest.mark.parametrize("server", list(three()))
def test_what_another_server_holds_is_never_missing_here(server: str) -> None:
    """Neither disks, nor a pool that this one does not need, nor a domain whose disk another server shares."""
    servers = three()
    state = [*OUTER, *(one for held in servers.values() for one in held)]
    assert inner_steps(state, server, [one.there for one in servers[server]]) == Steps()


@pytest.mark.parametrize(
    ("server", "gone", "steps"),
    [
        ("server-1", ("disk", "vm-1.qcow2"), Steps(remove=(There("domain", "vm-1", "server-1-vm-1"),), up=REFRESH)),
        (
            "server-1",
            ("pool", "lab"),
            Steps(
                forget=("urn-server-1-base-1", "urn-server-1-vm-1.qcow2", "urn-server-1-vm-2.qcow2"),
                remove=(There("domain", "vm-1", "server-1-vm-1"),),
                up=REFRESH,
            ),
        ),
        ("server-2", ("container", "container-1"), Steps(up=REFRESH)),
        ("server-3", ("domain", "vm-2"), Steps(up=REFRESH)),
    ],
)
def test_what_one_server_lacks_touches_that_one_alone(server: str, gone: tuple[str, str], steps: Steps) -> None:
    """The others need nothing."""
    servers = three()
    state = [*OUTER, *(one for held in servers.values() for one in held)]
    there_ = {
        name: [one.there for one in held if (name, one.thing) != (server, gone)] for name, held in servers.items()
    }
    found = {name: inner_steps(state, name, inside_) for name, inside_ in there_.items()}
    assert found == {name: steps if name == server else Steps() for name in servers}


def test_a_second_object_of_a_name_that_another_server_has_is_not_noted_here() -> None:
    """A container of the same name in the wrong server is in the way of nobody but that server's."""
    servers = three()
    state = [one for held in servers.values() for one in held]
    other = There("container", "container-1", "made by hand")
    assert inner_steps(state, "server-1", [*(one.there for one in servers["server-1"]), other]).remove == (other,)
