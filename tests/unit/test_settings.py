"""Configuration -> settings or all of its problems, never a traceback."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address as Address
from pathlib import Path
from typing import cast

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra import paths, plan, sides
from infra.keys import Key
from infra.settings import ALL, DEFAULTS, Facts, Settings, SettingsError, keys, parse
from infra.sides import SideKind
from infra.topologies import TOPOLOGIES

ROOT = Path(__file__).parents[2]
CHECKOUT = "1a2b3c4d"
FACTS = Facts(
    accelerator="tcg",
    accelerator_reason="no /dev/kvm",
    memory_mib=16 * 1024,
    cpus=4,
    subnets_in_use={"192.168.1.0/24": "interface wlan0"},
)
CHANGE = "Change it: pulumi config set {key} {value} -s deployment"
SPARE = plan.default_subnet(CHECKOUT, "deployment")
NAT_SPARE = plan.default_subnet(CHECKOUT, "deployment", "nat")

MGMT_SPARE = plan.default_subnet(CHECKOUT, "deployment", "mgmt")
ODD = "one of 3, 5 is needed: with two, or with halves, nobody is the majority."

REFUSED = [
    ({"replicas": "0"}, "replicas is '0': a whole number from 1 to 32 is needed."),
    ({"replicas": "-1"}, "replicas is '-1': a whole number from 1 to 32 is needed."),
    ({"replicas": "1000"}, "replicas is '1000': a whole number from 1 to 32 is needed."),
    ({"replicas": "33"}, "replicas is '33': a whole number from 1 to 32 is needed."),
    ({"replicas": "two"}, "replicas is 'two': a whole number from 1 to 32 is needed."),
    ({"servers": "0"}, "servers is '0': a whole number from 1 to 2 is needed."),
    ({"servers": "3"}, "servers is '3': a whole number from 1 to 2 is needed."),
    ({"servers": "server-1"}, "servers is 'server-1': a whole number from 1 to 2 is needed."),
    ({"vcpus": "5"}, "vcpus is '5': a whole number from 1 to 4 is needed."),
    ({"memory_mib": "100"}, "memory_mib is '100': a whole number from 256 to 1048576 is needed."),
    ({"disk_gib": "1"}, "disk_gib is '1': a whole number from 2 to 64 is needed."),
    ({"topology": "ring"}, "topology is 'ring': one of single, cluster is needed."),
    ({"servers_a_side": "2", "topology": "cluster"}, f"servers_a_side is '2': {ODD}"),
    ({"servers_a_side": "4", "topology": "cluster"}, f"servers_a_side is '4': {ODD}"),
    ({"servers_a_side": "1", "topology": "cluster"}, f"servers_a_side is '1': {ODD}"),
    (
        {"mgmt_subnet": "192.168.1.0/24", "topology": "cluster"},
        "mgmt_subnet is '192.168.1.0/24': 192.168.1.0/24 overlaps 192.168.1.0/24, which interface wlan0 uses; choose "
        "another.",
    ),
    ({"sides": "vm,docker"}, "sides is 'vm,docker': one of vm,container - vm - container is needed."),
    ({"sides": "vm,vm"}, "sides is 'vm,vm': one of vm,container - vm - container is needed."),
    ({"accelerator": "fast"}, "accelerator is 'fast': one of auto, kvm, tcg is needed."),
    (
        {"accelerator": "kvm"},
        "accelerator is 'kvm': KVM does not work on this machine (no /dev/kvm); use auto or tcg.",
    ),
    (
        {"service_version": "1 2"},
        "service_version is '1 2': up to 32 letters, digits, dots and dashes are needed, "
        "the first a letter or a digit.",
    ),
    (
        {"subnet": "10.1.2.3"},
        f"subnet is '10.1.2.3': a private IPv4 network of 24 bits such as {SPARE} is needed.",
    ),
    (
        {"subnet": "8.8.8.0/24"},
        f"subnet is '8.8.8.0/24': a private IPv4 network of 24 bits such as {SPARE} is needed.",
    ),
    (
        {"subnet": "lan"},
        f"subnet is 'lan': a private IPv4 network of 24 bits such as {SPARE} is needed.",
    ),
    (
        {"subnet": "192.168.1.0/24"},
        "subnet is '192.168.1.0/24': 192.168.1.0/24 overlaps 192.168.1.0/24, which interface wlan0 uses; "
        "choose another.",
    ),
    (
        {"paths": "bridge"},
        "paths is 'bridge': all is needed, or some of bridged, nat, published, address, host, each once, with commas "
        "between them.",
    ),
    (
        {"paths": ""},
        "paths is '': all is needed, or some of bridged, nat, published, address, host, each once, with commas between "
        "them.",
    ),
    (
        {"paths": "nat,nat"},
        "paths is 'nat,nat': all is needed, or some of bridged, nat, published, address, host, each once, with commas "
        "between them.",
    ),
    (
        {"nat_subnet": "192.168.1.0/24"},
        "nat_subnet is '192.168.1.0/24': 192.168.1.0/24 overlaps 192.168.1.0/24, which interface wlan0 uses; "
        "choose another.",
    ),
    (
        {"nat_subnet": "10.9.8.0/24", "subnet": "10.9.8.0/24"},
        "nat_subnet is '10.9.8.0/24': 10.9.8.0/24 overlaps 10.9.8.0/24, which the LAN of deployment uses; choose "
        "another.",
    ),
    (
        {"nat_subnet": "172.18.0.0/24"},
        "nat_subnet is '172.18.0.0/24': 172.18.0.0/24 overlaps 172.16.0.0/12, which the engine in the lab's own server "
        "uses; choose another.",
    ),
    (
        {"nat_subnet": "10.9.8.0/28"},
        f"nat_subnet is '10.9.8.0/28': a private IPv4 network of 24 bits such as {NAT_SPARE} is needed.",
    ),
    (
        {"nat_subnet": "8.8.8.0/24"},
        f"nat_subnet is '8.8.8.0/24': a private IPv4 network of 24 bits such as {NAT_SPARE} is needed.",
    ),
    (
        {"nat_subnet": "lan"},
        f"nat_subnet is 'lan': a private IPv4 network of 24 bits such as {NAT_SPARE} is needed.",
    ),
]


def block(keys: Iterable[Key]) -> str:
    """The keys as Pulumi.yaml declares them."""
    lines = ["config:"]
    for key in keys:
        default = json.dumps(key.default) if str(key.default).isdecimal() else key.default
        lines += [
            f"  {key.name}:",
            f"    type: {'integer' if isinstance(key.default, int) else 'string'}",
            f"    default: {default}",
            f"    description: {key.description}",
        ]
    return "\n".join(lines) + "\n"


def test_pulumis_schema_is_written_from_the_rows() -> None:
    """Its end is what `block` says, to be copied from here when a row changes; it reads back the same."""
    text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
    assert text.partition("config:")[2] == block(ALL.values()).partition("config:")[2]
    schema = yaml.safe_load(text)["config"]
    assert {key: entry["default"] for key, entry in schema.items()} == {key.name: key.default for key in ALL.values()}
    assert all(key.description.endswith(".") for key in ALL.values())


def test_no_two_topologies_mean_different_things_by_one_key() -> None:
    """Pulumi.yaml has one entry for each."""
    rows = [key for topology in TOPOLOGIES.values() for key in keys(topology)]
    assert {key.name: key for key in rows} == ALL
    assert all(key == ALL[key.name] for key in rows)


def test_each_default_can_be_used() -> None:
    """By its own reader, whatever the topology."""
    for topology in TOPOLOGIES.values():
        found = parse("deployment", {"topology": topology.name}, FACTS, CHECKOUT)
        assert set(found.own) == {key.name for key in topology.keys}


def test_settings_are_read_without_pulumi() -> None:
    """It takes a second to import, and `./lab` asks them at once. Nor does what speaks of sides and names need it."""
    modules = "infra.settings, infra.names, infra.sides, infra.topologies, infra.domain"
    script = f"import {modules}, sys; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=30).returncode == 0


def test_an_empty_configuration_is_the_default_lab() -> None:
    """Both sides, one replica each."""
    assert parse("deployment", {}, FACTS, CHECKOUT) == Settings(
        lab="deployment",
        topology="single",
        own={"servers": 1, "paths": ("bridged", "published"), "nat_subnet": None},
        sides=("vm", "container"),
        replicas=1,
        vcpus=int(DEFAULTS["vcpus"]),
        memory_mib=512,
        disk_gib=2,
        accelerator="tcg",
        service_version="1",
        subnet=plan.default_subnet(CHECKOUT, "deployment"),
    )


@pytest.mark.parametrize(("config", "message"), REFUSED, ids=lambda case: str(case)[:40])
def test_a_bad_value_is_refused_with_value_rule_and_next_step(config: dict[str, str], message: str) -> None:
    """The exact text."""
    with pytest.raises(SettingsError) as refused:
        parse("deployment", config, FACTS, CHECKOUT)
    key = next(iter(config))
    value = {"subnet": SPARE, "nat_subnet": NAT_SPARE, "mgmt_subnet": MGMT_SPARE}.get(key, "VALUE")
    assert refused.value.problems == (f"{message} {CHANGE.format(key=key, value=value)}",)


def test_all_problems_are_reported_at_once() -> None:
    """One for each key, an unknown key among them."""
    with pytest.raises(SettingsError) as refused:
        parse("deployment", {"replicas": "0", "vcpus": "x", "replica": "2"}, FACTS, CHECKOUT)
    assert len(refused.value.problems) == 3
    assert refused.value.problems[0] == (
        "'replica' is no configuration key; there are topology, servers, paths, nat_subnet, sides, replicas, vcpus, "
        "memory_mib, disk_gib, accelerator, service_version, subnet. Remove it: pulumi config rm replica -s deployment"
    )


def test_more_memory_than_there_is_is_refused() -> None:
    """The sum over replicas and sides counts."""
    with pytest.raises(SettingsError) as refused:
        parse("deployment", {"memory_mib": "4096", "replicas": "3"}, FACTS, CHECKOUT)
    assert refused.value.problems == (
        "memory_mib is 4096 for 3 replicas on 2 sides, 24576 MiB in all: this machine has 16384 MiB, of which 15616 "
        "can be given away. Lower memory_mib or replicas: pulumi config set memory_mib N -s deployment",
    )


def test_more_replicas_than_there_are_addresses_for_are_refused() -> None:
    """Along all paths of a side."""
    with pytest.raises(SettingsError) as refused:
        parse("deployment", {"paths": "all", "replicas": "11"}, FACTS, CHECKOUT)
    assert refused.value.problems[0] == (
        "replicas is 11 for each of 3 paths, 33 containers in all: a side of the topology single has 32 at most. Lower "
        "replicas or paths: pulumi config set replicas N -s deployment"
    )


def test_each_path_of_each_side_needs_its_replicas_memory() -> None:
    """All five paths, once."""
    with pytest.raises(SettingsError) as refused:
        parse("deployment", {"memory_mib": "4096", "paths": "all"}, FACTS, CHECKOUT)
    assert refused.value.problems == (
        "memory_mib is 4096 for 1 replicas on 2 sides along 5 paths, 20480 MiB in all: this machine has 16384 MiB, of "
        "which 15616 can be given away. Lower memory_mib, replicas or paths: "
        "pulumi config set memory_mib N -s deployment",
    )


@pytest.mark.parametrize(
    ("config", "vm", "container"),
    [
        ({}, ("bridged",), ("published",)),
        ({"paths": "all"}, ("bridged", "nat"), ("published", "address", "host")),
        ({"paths": "host, nat", "replicas": "2"}, ("nat", "nat"), ("host", "host")),
        ({"paths": "address,published", "replicas": "2"}, ("bridged",) * 2, ("published", "address") * 2),
    ],
)
def test_a_side_has_as_many_replicas_of_each_of_its_paths(
    config: dict[str, str], vm: tuple[str, ...], container: tuple[str, ...]
) -> None:
    """In turn, in the order of the rows; one without a path of its own among them has its first."""
    found = parse("deployment", config, FACTS, CHECKOUT)
    assert (found.along("vm"), found.along("container")) == (vm, container)
    chosen = found.own["paths"]
    assert [paths.at(chosen, "container", index) for index in range(len(container))] == list(container)


def test_a_network_behind_nat_meets_neither_the_lan_nor_what_the_machine_uses() -> None:
    """Chosen where a path wants it, and the same each time; what stands in its way moves it on."""
    config = {"paths": "nat"}
    found = parse("deployment", config, FACTS, CHECKOUT)
    nat = found.own["nat_subnet"]
    assert not nat.overlaps(found.subnet)
    assert parse("deployment", config, FACTS, CHECKOUT) == found
    busy = dataclasses.replace(FACTS, subnets_in_use={**FACTS.subnets_in_use, str(nat): "interface tun0"})
    assert not parse("deployment", config, busy, CHECKOUT).own["nat_subnet"].overlaps(nat)
    beside = parse("deployment", {**config, "subnet": str(nat)}, FACTS, CHECKOUT)
    assert not beside.own["nat_subnet"].overlaps(beside.subnet)


def test_a_further_servers_daemons_need_memory_too() -> None:
    """What fits beside one server need not fit beside two; the reserve is said in what is left to give away."""
    config = {"memory_mib": "7808"}
    assert parse("deployment", config, FACTS, CHECKOUT).servers == (0,)
    with pytest.raises(SettingsError) as refused:
        parse("deployment", {**config, "servers": "2"}, FACTS, CHECKOUT)
    assert refused.value.problems == (
        "memory_mib is 7808 for 1 replicas on 2 sides, 15616 MiB in all: this machine has 16384 MiB, of which 15360 "
        "can be given away beside 2 servers. Lower memory_mib, replicas or servers: "
        "pulumi config set memory_mib N -s deployment",
    )
    assert parse("deployment", {"memory_mib": "7680", "servers": "2"}, FACTS, CHECKOUT).servers == (0, 1)


def test_a_cluster_lab_has_servers_for_each_side() -> None:
    """Those of a side are the same ones whether the other is there or not; their network meets no other."""
    both = parse("deployment", {"topology": "cluster"}, FACTS, CHECKOUT)
    assert (both.servers, both.along("vm"), both.along("container")) == (
        (0, 1, 2, 3, 4, 5),
        ("bridged",),
        ("published",),
    )
    one = parse("deployment", {"topology": "cluster", "sides": "container", "servers_a_side": "5"}, FACTS, CHECKOUT)
    assert one.servers == (5, 6, 7, 8, 9)
    assert both.beside == {"mgmt": MGMT_SPARE}
    config = {"topology": "cluster", "subnet": str(MGMT_SPARE)}
    assert not parse("deployment", config, FACTS, CHECKOUT).beside["mgmt"].overlaps(MGMT_SPARE)


def test_a_cluster_lab_that_is_up_keeps_both_its_networks() -> None:
    """Whoever has come since."""
    own = {"lan": "10.200.7.0/24", "mgmt": "10.200.9.0/24"}
    facts = dataclasses.replace(FACTS, own_subnets=own, subnets_in_use={"10.200.0.0/16": "interface tun0"})
    found = parse("deployment", {"topology": "cluster"}, facts, CHECKOUT)
    assert {"lan": str(found.subnet), "mgmt": str(found.beside["mgmt"])} == own


def test_kvm_is_used_where_it_works() -> None:
    """auto takes what the machine has; tcg stays tcg."""
    facts = dataclasses.replace(FACTS, accelerator="kvm")
    assert [parse("d", {"accelerator": text}, facts, CHECKOUT).accelerator for text in ("auto", "kvm", "tcg")] == [
        "kvm",
        "kvm",
        "tcg",
    ]


VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(-5, 5000).map(str),
    st.sampled_from(
        ["vm", "container", "vm,container", "auto", "kvm", "tcg", "single", "cluster", "3", "10.1.2.0/24", "1e3", "٣"]
    ),
)


CONFIGS = st.dictionaries(st.one_of(st.sampled_from(sorted(DEFAULTS)), st.text(max_size=8)), VALUES, max_size=9)


@pytest.mark.slow
@settings(max_examples=2000)
@given(CONFIGS)
def test_any_configuration_gives_settings_or_problems(config: dict[str, str]) -> None:
    """Nothing else is ever raised, and what is accepted can be planned."""
    settings_or_problems(config)


@pytest.mark.long
@settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
@given(CONFIGS)
def test_any_of_many_configurations_gives_settings_or_problems(config: dict[str, str]) -> None:
    """The same, fifty times as often."""
    settings_or_problems(config)


def settings_or_problems(config: dict[str, str]) -> None:
    try:
        found = parse("deployment", config, FACTS, CHECKOUT)
    except SettingsError as refused:
        problems = refused.problems
    else:
        assert set(found.servers) <= set(range(plan.MAX_SERVERS))
        planned = plan.Plan(CHECKOUT, "deployment", found.subnet)
        last = max(len(found.along(side)) for side in found.sides) - 1
        assert isinstance(planned.vm_address(last), Address)
        return
    assert all(problems)


def test_a_side_without_paths_answers_on_a_port_of_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row says which; it has one path, which has no name, and as many replicas as any other."""
    kind = SideKind("toy", "process", "processes", shares_kernel=True, port=8101)
    monkeypatch.setitem(cast(dict[str, SideKind], sides.KINDS), "toy", kind)
    planned = plan.Plan(CHECKOUT, "d", plan.default_subnet(CHECKOUT, "d"))
    assert paths.of("toy") == paths.along(paths.chosen("all"), "toy") == ("",)
    assert paths.at(paths.chosen("all"), "toy", 2) == ""
    assert paths.url("toy", "", planned, 2, "10.1.2.2") == "http://10.1.2.2:8103"
    assert paths.url("container", "published", planned, 0, "10.1.2.2") == planned.container_url(0, "10.1.2.2")
