"""Where set-up says that things lie."""

from __future__ import annotations

from dataclasses import replace

from infra.machine import Machine
from labkit.setup.ensure import guest_dir

MACHINE = Machine(
    schema_version=1,
    checkout="/checkout",
    docker_host="unix:///engine.sock",
    engine_version="28.5.2",
    cgroup_version=2,
    runtime_dir="/run/vvc-1a2b3c4d",
    owner="0:0",
    accelerator="tcg",
    accelerator_reason="no /dev/kvm",
    server_image="sha256:server",
    guest_dir="/cache/guest",
    guest_digest="0123456789ab",
    container_dir="/cache/container",
    container_digest="ba9876543210",
)


def test_with_another_cache_a_labs_disks_stay() -> None:
    """The same files elsewhere are no new disk image; other files are, and so is the first set-up."""
    assert guest_dir("/other/guest", "0123456789ab", MACHINE) == "/cache/guest"
    assert guest_dir("/other/guest", "0123456789ab", replace(MACHINE, guest_digest="f" * 12)) == "/other/guest"
    assert guest_dir("/other/guest", "0123456789ab", None) == "/other/guest"
