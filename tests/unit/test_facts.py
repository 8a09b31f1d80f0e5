"""What the program reads of the machine."""

from __future__ import annotations

from infra import facts

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
vvc1\t0007C80A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_are_networks_without_the_default_and_our_own() -> None:
    """Little-endian hexadecimal, as the kernel prints it."""
    assert facts.routes(ROUTES, without="vvc1") == {"172.17.0.0/16": "interface eth0"}
    assert facts.routes(ROUTES, without="") == {"172.17.0.0/16": "interface eth0", "10.200.7.0/24": "interface vvc1"}


def test_memory_is_in_mib() -> None:
    """/proc/meminfo counts KiB."""
    assert facts.memory_mib("MemTotal:       24683520 kB\nMemFree: 1 kB\n") == 24105
