"""What the program reads of the machine."""

from __future__ import annotations

import shutil

import pytest

from infra import facts


def test_memory_is_in_mib() -> None:
    """/proc/meminfo counts KiB."""
    assert facts.memory_mib("MemTotal:       24683520 kB\nMemFree: 1 kB\n") == 24105


def test_the_networks_of_this_machine_are_read_without_an_engine() -> None:
    """An engine that is silent is no reason to know nothing; loopback is always there."""
    in_use, own = facts.subnets("unix:///nowhere/docker.sock", {"vvc1": "lan"})
    assert "interface lo" in in_use["127.0.0.0/8"]
    assert own == {}


def test_a_machine_without_ip_has_no_known_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a traceback."""
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    assert facts.subnets("unix:///nowhere/docker.sock", {"vvc1": "lan"}) == ({}, {})
