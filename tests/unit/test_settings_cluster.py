"""What a lab of clusters refuses in its configuration, before anything is made."""

from __future__ import annotations

import pytest

from infra.settings import SettingsError, parse
from tests.unit.test_settings import CHECKOUT, FACTS, ODD


def test_a_key_of_another_topology_is_told_apart_from_none() -> None:
    """With all else that is wrong, and how to take it away."""
    with pytest.raises(SettingsError) as refused:
        parse("failover", {"topology": "cluster", "servers": "2", "servers_a_side": "4", "x": "1"}, FACTS, CHECKOUT)
    another, unknown, even = refused.value.problems
    assert another.startswith("'servers' is a key of another topology; there are topology, servers_a_side, mgmt_subnet")
    assert another.endswith("Remove it: pulumi config rm servers -s failover")
    assert unknown.startswith("'x' is no configuration key; there are ")
    assert even == f"servers_a_side is '4': {ODD} Change it: pulumi config set servers_a_side VALUE -s failover"


def test_a_cluster_has_one_replica_and_needs_memory_for_six_servers() -> None:
    """Said before anything is made, with how much is needed."""
    for config, problem in (
        (
            {"replicas": "2"},
            "replicas is 2: a side of the topology cluster has 1 at most. Lower replicas: "
            "pulumi config set replicas N -s deployment",
        ),
        (
            {"memory_mib": "7200"},
            "memory_mib is 7200 for 1 replicas on 2 sides, 14400 MiB in all: this machine has 16384 MiB, of which "
            "14072 can be given away beside 6 servers; 16712 are needed. Lower memory_mib: "
            "pulumi config set memory_mib N -s deployment, or bring up one side: "
            "pulumi config set sides vm -s deployment",
        ),
        (
            {"memory_mib": "16000", "sides": "container"},
            "memory_mib is 16000 for 1 replicas on 1 sides, 16000 MiB in all: this machine has 16384 MiB, of which "
            "14972 can be given away beside 3 servers; 17412 are needed. Lower memory_mib: "
            "pulumi config set memory_mib N -s deployment",
        ),
    ):
        with pytest.raises(SettingsError) as refused:
            parse("deployment", {"topology": "cluster", **config}, FACTS, CHECKOUT)
        assert refused.value.problems == (problem,)
