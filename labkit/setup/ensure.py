"""Set-up: everything that a lab needs on this machine, each part only if it is missing. Safe to interrupt."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from infra import checkout
from infra import machine as machine_file
from infra.machine import Machine
from labkit.setup import accelerator, ownership, packages
from labkit.setup.building import images
from labkit.setup.docker import engine, rules
from labkit.setup.tools import check, toolchain
from labkit.setup.tools.toolchain import Toolchain
from labkit.system import shell, stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT, runtime
from labkit.system.progress import Progress

_KEYGEN_S = 20


@dataclass(frozen=True)
class SetUp:
    """What set-up has found or made."""

    toolchain: Toolchain
    machine: Machine


def ensure(
    progress: Progress,
    *,
    yes: bool,
    confirm: Callable[[str], bool],
    tests: bool = False,
    labs: Sequence[str] | None = None,
) -> SetUp:
    """Bring the machine to where `pulumi up` of these labs (of all) works. Raises LabError with one next step."""
    settle(progress)
    ownership.check_modes()
    packages.ensure(progress, yes=yes, confirm=confirm, tests=tests)
    tools = toolchain.ensure(progress)
    check.ensure(tools)
    docker = engine.ensure(progress)
    rules.ensure(docker, progress)
    with docker.client() as client:
        bootstrap = partial(packages.ensure_bootstrap, progress, yes=yes, confirm=confirm)
        built = images.ensure(client, progress, bootstrap)
        clustered = any(stack_files.clustered(lab) for lab in labs or stack_files.names())
        cluster = images.ensure_cluster(client, progress) if clustered else images.cluster(client)
        kind = accelerator.probe(client, built)
    machine = Machine(
        schema_version=machine_file.SCHEMA_VERSION,
        checkout=str(CHECKOUT),
        docker_host=docker.host,
        engine_version=docker.version,
        cgroup_version=docker.cgroup_version,
        runtime_dir=str(runtime()),
        owner=f"{os.getuid()}:{os.getgid()}",
        accelerator=kind.kind,
        accelerator_reason=kind.reason,
        server_image=built.server,
        guest_dir=guest_dir(str(built.guest_dir), built.guest_digest, _former()),
        guest_digest=built.guest_digest,
        container_dir=str(built.container_dir),
        container_digest=built.container_digest,
        cluster_image=cluster,
    )
    machine_file.save(machine)
    for lab in stack_files.names():
        make_keys(machine, lab)
    return SetUp(tools, machine)


def guest_dir(built: str, digest: str, former: Machine | None) -> str:
    """Pure: the folder of the guest's files. With another cache (VVC_CACHE, sudo) it stays where the same files were.

    A lab's disks stand on what was uploaded from there: another place of the same would make them anew.
    """
    return former.guest_dir if former is not None and former.guest_digest == digest else built


def _former() -> Machine | None:
    try:
        return machine_file.load()
    except checkout.NotSetUpError:
        return None


def settle(progress: Progress) -> None:
    """Keep which checkout this is. Raises LabError where what the state speaks of is another one's."""
    try:
        told = checkout.settle()
    except checkout.NotSetUpError as error:
        raise LabError(error.problem, hint=error.hint) from error
    if told:
        progress.line(told)


def make_keys(machine: Machine, lab: str) -> None:
    """Make the lab's ssh key, 0600 in a 0700 folder, where there is none."""
    key = machine.private_key(lab)
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if key.exists() and key.with_suffix(".pub").exists():
        return
    key.unlink(missing_ok=True)
    shell.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"vm-vs-container {lab}", "-f", str(key)],
        timeout_s=_KEYGEN_S,
        hint="./lab doctor",
    )
