"""The programs of which a Pulumi command consists, and how each is told among processes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from labkit.processes import Process

LANGUAGE_HOST = "/toolchain/language_host.py"
PROVIDER = "/toolchain/dynamic_provider.py"
PROGRAM = "/toolchain/program_runner.py"
WORKER = "infra.playbook_worker"


def is_cli(process: Process) -> bool:
    """Whether it is the Pulumi CLI, whatever it does."""
    return _name(process) == "pulumi"


def of_pulumi(process: Process) -> bool:
    """Whether it is the CLI, a plugin, a script that serves as one, or the worker of a playbook."""
    return (
        _name(process).startswith("pulumi")
        or any(word.endswith((LANGUAGE_HOST, PROVIDER, PROGRAM)) for word in process.words)
        or WORKER in process.words
    )


PARTS: Mapping[str, Callable[[Process], bool]] = {
    "cli": lambda one: is_cli(one) and bool({"up", "destroy"} & set(one.words)),
    "docker plugin": lambda one: _name(one) == "pulumi-resource-docker",
    "libvirt plugin": lambda one: _name(one) == "pulumi-resource-libvirt",
    "provider": lambda one: any(word.endswith(PROVIDER) for word in one.words),
    "language host": lambda one: any(word.endswith(LANGUAGE_HOST) for word in one.words),
    "program": lambda one: any(word.endswith(PROGRAM) for word in one.words),
    "worker": lambda one: WORKER in one.words,
}
"""Part of an `up` or a `destroy` -> whether a process is it: what a bench and the tests kill."""


def _name(process: Process) -> str:
    return Path(process.words[0]).name if process.words else ""
