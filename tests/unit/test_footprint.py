"""What a replica takes of its server, from what the server's kernel says of its processes."""

from __future__ import annotations

import pytest

from labkit.measure import footprint

QEMU = """== replica 385 qemu-system-x86
cpu 1000000000 400000000
55b04aebe000-55b04b35a000 r--p 00000000 00:45 894955                     /usr/bin/qemu-system-x86_64
Size:               4720 kB
Pss:                2048 kB
Pss_Dirty:             0 kB
55b05c8bb000-55b05efee000 rw-p 00000000 00:00 0                          [heap]
Size:              40140 kB
Pss:               14336 kB
7f896fe00000-7f898fe00000 rw-p 00000000 00:00 0
Size:             524288 kB
Pss:              219136 kB
7f8990000000-7f899ffff000 rwxp 00000000 00:00 0
Size:             262140 kB
Pss:              184320 kB
cgroup /docker/20d5
== daemon 59 libvirtd
cpu 1000000000 5
cgroup /docker/20d5
"""
CONTAINER = """== replica 569 python3
cpu 2000000000 7000000
00400000-00401000 r-xp 00000000 00:45 1                                  /usr/bin/python3.13
Size:               7000 kB
Pss:                3072 kB
cgroup /docker/20d5/containers/d38b
== replica 570 python3
cpu 2000000000 1000000
00400000-00401000 rw-p 00000000 00:00 0
Size:               7000 kB
Pss:                1024 kB
cgroup /docker/20d5/containers/d38b
== shim 545 containerd-shim
cpu 2000000000 3000000
00400000-00401000 rw-p 00000000 00:00 0
Size:               9000 kB
Pss:                7168 kB
cgroup /docker/20d5
"""


def test_a_vms_memory_is_taken_apart() -> None:
    """The translation cache is what may be written and executed; the RAM is one mapping; the rest is QEMU."""
    assert footprint.memory(footprint.parse(QEMU), 512) == {
        "host_memory_mib": 410.0,
        "translation_cache_mib": 180.0,
        "working_memory_mib": 230.0,
        "guest_ram_mib": 214.0,
        "hypervisor_memory_mib": 16.0,
        "libvirtd_daemon_memory_mib": 0.0,
    }


def test_a_containers_memory_is_that_of_its_processes() -> None:
    """What the engine keeps for it is named apart; there is no translation cache and no guest."""
    assert footprint.memory(footprint.parse(CONTAINER), 512) == {
        "host_memory_mib": 4.0,
        "translation_cache_mib": 0.0,
        "working_memory_mib": 4.0,
        "containerd_shim_memory_mib": 7.0,
    }


@pytest.mark.parametrize(
    ("rights", "path", "mib"),
    [
        ("rwxp", "", 2.0),
        ("rw-s", "/memfd:tcg-jit (deleted)", 2.0),
        ("r-xs", "/memfd:tcg-jit (deleted)", 2.0),
        ("r-xp", "/usr/bin/qemu-system-x86_64", 0.0),
        ("rw-p", "", 0.0),
        ("rw-p", "[heap]", 0.0),
    ],
)
def test_what_is_translation_cache(rights: str, path: str, mib: float) -> None:
    """With one mapping for both rights, or with two over one file in memory."""
    assert footprint.translation_cache_mib([footprint.Mapping_(rights, path, 4096, 2048)]) == mib


def test_the_guests_ram_may_be_joined_with_its_neighbour() -> None:
    """Then it is larger than asked for; of several the smallest that can hold it counts."""
    mappings = [footprint.Mapping_("rw-p", "", size, size // 2) for size in (100, 600 * 1024, 512 * 1024 + 4)]
    assert footprint.guest_ram_mib(mappings, 512) == pytest.approx(256, abs=0.01)
    assert footprint.guest_ram_mib(mappings[:1], 512) == 0


def test_what_the_guest_says_of_its_memory() -> None:
    """Used, cache and free make up the total."""
    text = "MemTotal: 475136 kB\nMemFree: 358400 kB\nBuffers: 1024 kB\nCached: 50176 kB\nSReclaimable: 4096 kB\n"
    assert footprint.guest_memory(text) == {
        "guest_used_mib": 60.0,
        "guest_cache_mib": 54.0,
        "guest_free_mib": 350.0,
    }


def test_cpu_is_what_was_used_between_two_readings() -> None:
    """Per second of the time between them; a process that is new does not count; nobody gives time back."""
    before = footprint.parse("== replica 1 a\ncpu 1000000000 100000000\n== daemon 2 b\ncpu 1000000000 50000000\n")
    after = footprint.parse(
        "== replica 1 a\ncpu 3000000000 180000000\n== replica 9 new\ncpu 3000000000 900000000\n"
        "== daemon 2 b\ncpu 3000000000 40000000\n"
    )
    assert footprint.cpu(before, after) == {"idle_cpu_percent": 4.0, "daemon_idle_cpu_percent": 0.0}


def test_disk_is_the_sum_of_its_parts() -> None:
    """Parts of one name are added up."""
    assert footprint.disk("layer 0\nvolume 40\nvolume 2\n") == {
        "layer_bytes": 0,
        "volume_bytes": 42,
        "own_disk_bytes": 42,
    }
