"""Processes and mounts of this checkout that outlived what they belonged to. Which those are is decided purely."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra import plan
from infra.worker import marked
from labkit.lifecycle import programs
from labkit.lifecycle.state import BACKEND_URL
from labkit.system.mounts import mounts_below
from labkit.system.paths import CHECKOUT, CHECKOUT_ID, STATE, runtime
from labkit.system.processes import Process, running, starter_gone

_PROC = Path("/proc")
_INIT = 1
_BACKEND = "PULUMI_BACKEND_URL"


@dataclass(frozen=True)
class Home:
    """What a checkout's programs of Pulumi are known by: the URL of its state, or the folder that they work in.

    A plain `pulumi` that finds its state by Pulumi.yaml has no URL in its environment.
    """

    backend: str
    checkout: str

    def has(self, process: Process) -> bool:
        """Whether it belongs to the checkout, whatever it runs."""
        backend = process.environment.get(_BACKEND)
        return backend == self.backend if backend else process.folder == self.checkout

    def runs(self, process: Process) -> bool:
        """Whether it is one of its programs of Pulumi, or what a playbook has started."""
        run = process.environment.get(marked.VARIABLE)
        if run is not None and run.rpartition("/.state/")[0] == self.checkout:
            return True
        return programs.of_pulumi(process) and self.has(process)


def orphans(processes: Iterable[Process], home: Home, lab: str) -> list[Process]:
    """Pure: programs of Pulumi and workers of this checkout whose starter is gone.

    A process is an orphan when it or the topmost program of ours above it was handed to another parent: of the
    official tools a script lives on between the killed CLI and what it has started. A Pulumi CLI that lives on by
    itself counts only where it works on `lab`: on another one it may be somebody's.
    """
    table = {process.pid: process for process in processes}
    ours = {pid: process for pid, process in table.items() if home.runs(process)}

    def top(process: Process) -> Process:
        seen = {process.pid}
        while process.parent in ours and process.parent not in seen:
            process = ours[process.parent]
            seen.add(process.pid)
        return process

    def handed_on(process: Process) -> bool:
        if programs.is_cli(process):
            return lab in process.words and _cli_handed_on(process, table.get(process.parent))
        # A CLI, its plugins and this tool's tests alone start such programs. A shell that has the URL only since
        # `./lab env` starts none; a reaper belongs to the checkout no more than init.
        parent = table.get(process.parent)
        return parent is None or parent.pid == _INIT or not (programs.of_pulumi(parent) or home.has(parent))

    return [process for process in ours.values() if handed_on(top(process))]


def _cli_handed_on(cli: Process, parent: Process | None) -> bool:
    """Whether the starter of a Pulumi CLI is gone: that of ./lab's is known, a person's is told by its session.

    A person's shell need not have any variable in its environment that the CLI has. The session does not tell where
    the shell is of the same one as the reaper; then the person's CLI is let be.
    """
    gone = starter_gone(cli)
    if gone is not None:
        return gone
    if cli.session == cli.pid:
        return cli.parent == _INIT
    return parent is None or parent.session != cli.session


HOME = Home(BACKEND_URL, str(CHECKOUT))
"""This checkout."""


def of_dead_servers(processes: Iterable[Process], identities: Iterable[str]) -> list[Process]:
    """Pure: the topmost processes of servers with these identities (VVC_HOST_UUID), the ones whose end ends all."""
    wanted = set(identities)
    inside = {one.pid: one for one in processes if one.environment.get("VVC_HOST_UUID") in wanted}
    return [one for one in inside.values() if one.parent not in inside]


def left(lab: str, there: Iterable[str]) -> list[Process]:
    """Orphans of this checkout, and what runs of servers of the lab whose container is not `there`."""
    processes = list(running())
    planned = plan.Plan(CHECKOUT_ID, lab, plan.default_subnet(CHECKOUT_ID, lab))
    names = {planned.name(plan.server_name(index)) for index in range(plan.MAX_SERVERS)}
    identities = [str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in names - set(there)]
    return [*orphans(processes, HOME, lab), *of_dead_servers(processes, identities)]


def of_this_checkout() -> list[Process]:
    """Programs of Pulumi and workers that use this checkout's state, held by somebody or not."""
    return [one for one in running() if HOME.runs(one)]


def mounts() -> list[str]:
    """Mount points in this checkout's folders for sockets and state, the innermost first."""
    table = (_PROC / "self/mountinfo").read_text(encoding="utf-8")
    return [point for folder in (runtime(), STATE) for point in mounts_below(table, str(folder))]
