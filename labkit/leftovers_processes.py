"""Processes and mounts of this checkout that outlived what they belonged to. Which those are is decided purely."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from infra import plan
from labkit import programs
from labkit.engine_processes import mounts_below
from labkit.paths import CHECKOUT_ID, STATE, runtime
from labkit.processes import Process, running, starter_gone
from labkit.pulumi import BACKEND_URL

_PROC = Path("/proc")
_INIT = 1
_BACKEND = "PULUMI_BACKEND_URL"
_SERVERS = 9
_RUN = "VVC_PLAYBOOK_RUN"
"""Variable in the environment of all that a playbook's run starts (infra/playbook_worker.py)."""


def orphans(processes: Iterable[Process], backend: str, lab: str) -> list[Process]:
    """Pure: programs of Pulumi and workers that use this `backend` (URL) and whose starter is gone.

    A process is an orphan when it or the topmost program of ours above it was handed to another parent. A Pulumi CLI
    that lives on by itself counts only where it works on `lab`: on another one it may be somebody's.
    """
    table = {process.pid: process for process in processes}
    ours = {pid: process for pid, process in table.items() if _of_pulumi(process, backend)}

    def top(process: Process) -> Process:
        seen = {process.pid}
        while process.parent in ours and process.parent not in seen:
            process = ours[process.parent]
            seen.add(process.pid)
        return process

    def handed_on(process: Process) -> bool:
        if programs.is_cli(process):
            return lab in process.words and _cli_handed_on(process, table.get(process.parent))
        # The CLI, its plugins and this tool's tests, which alone start such programs, have the variable themselves.
        # A shell that has it only since `./lab env` starts none; a reaper has it no more than init.
        parent = table.get(process.parent)
        return parent is None or parent.pid == _INIT or parent.environment.get(_BACKEND) != backend

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


def _of_pulumi(process: Process, backend: str) -> bool:
    if process.environment.get(_BACKEND) != backend or not process.words:
        return False
    return programs.of_pulumi(process) or _RUN in process.environment


def of_dead_servers(processes: Iterable[Process], identities: Iterable[str]) -> list[Process]:
    """Pure: the topmost processes of servers with these identities (VVC_HOST_UUID), the ones whose end ends all."""
    wanted = set(identities)
    inside = {one.pid: one for one in processes if one.environment.get("VVC_HOST_UUID") in wanted}
    return [one for one in inside.values() if one.parent not in inside]


def left(lab: str, there: Iterable[str]) -> list[Process]:
    """Orphans of this checkout, and what runs of servers of the lab whose container is not `there`."""
    processes = list(running())
    names = {f"{plan.PREFIX}-{CHECKOUT_ID}-{lab}-server-{number}" for number in range(1, _SERVERS + 1)}
    identities = [str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in names - set(there)]
    return [*orphans(processes, BACKEND_URL, lab), *of_dead_servers(processes, identities)]


def of_this_checkout() -> list[Process]:
    """Programs of Pulumi and workers that use this checkout's state, held by somebody or not."""
    return [one for one in running() if _of_pulumi(one, BACKEND_URL)]


def mounts() -> list[str]:
    """Mount points in this checkout's folders for sockets and state, the innermost first."""
    table = (_PROC / "self/mountinfo").read_text()
    return [point for folder in (runtime(), STATE) for point in mounts_below(table, str(folder))]
