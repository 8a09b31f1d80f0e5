"""A lab built against Pulumi's mocks: what would be declared, without an engine."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.lab import Blueprint
from infra.machine import Machine
from infra.plan import Network, Plan
from infra.settings import Facts, parse
from tests.program.mocks import Build, Declared, Monitor


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that is set up, in an empty folder."""
    (tmp_path / ".state" / "deployment").mkdir(parents=True)
    (tmp_path / ".state" / "deployment" / "id_ed25519.pub").write_text(
        "ssh-ed25519 AAAA vm-vs-container deployment\n", encoding="utf-8"
    )
    for folder in ("service", "playbooks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("one", encoding="utf-8")
    return Machine(
        schema_version=1,
        checkout=str(tmp_path),
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
        cluster_image="sha256:cluster",
    )


@pytest.fixture
def build(machine: Machine) -> Iterator[Build]:
    """Build the deployment lab with some configuration; returns what was declared."""

    def builder(
        accelerator: Any = "tcg",
        machine: Machine = machine,
        mgmt: ipaddress.IPv4Network | None = None,
        **config: str,
    ) -> Declared:
        from infra import program  # noqa: PLC0415 - after the mocks are set

        facts = Facts(accelerator, "", memory_mib=64 * 1024, cpus=8, subnets_in_use={})
        declared = Declared()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        monitor = Monitor(declared)
        pulumi.runtime.set_mocks(
            monitor.mocks, project="vm-vs-container", stack="deployment", preview=False, monitor=monitor
        )
        settings = parse("deployment", {"subnet": "10.200.7.0/24", **config}, facts, "1a2b3c4d")
        beside: Mapping[Network, ipaddress.IPv4Network] = {"mgmt": mgmt} if mgmt else settings.beside
        plan = Plan("1a2b3c4d", "deployment", settings.subnet, beside, settings.own.get("nat_subnet"))
        lab = Blueprint(settings=settings, plan=plan, machine=machine, commit="c0ffee000000")

        @pulumi.runtime.test  # type: ignore[untyped-decorator]  # Pulumi has no types for it
        def run() -> pulumi.Output[None]:
            return pulumi.Output.all(**program.build(lab)).apply(declared.outputs.update)

        try:
            run()
        finally:
            loop.close()
        return declared

    yield builder
    # Pulumi's open event loops go now: collected inside another test's ast.parse they break it (CPython 3.11).
    asyncio.set_event_loop(None)
    gc.collect()
