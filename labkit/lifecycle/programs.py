"""The programs of which a Pulumi command consists, and how each is told among processes. Pure.

A program is known by what it runs, not by the interpreter that runs it: the official language host's and dynamic
provider's scripts are `sh` and `python` in the table of processes, as ours are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from labkit.system.processes import Process

CLI = "pulumi"
LANGUAGE_HOSTS = {"pulumi-language-python", "toolchain/language_host.py"}
PROVIDERS = {
    "pulumi-resource-pulumi-python",
    "pulumi.dynamic",
    "pulumi.dynamic.__main__",
    "toolchain/dynamic_provider.py",
}
PROGRAMS = {
    "pulumi-language-python-exec",
    "pulumi-language-python-shim",
    "pulumi-python-shim",
    "toolchain/program_runner.py",
}
WORKERS = {"infra.playbook_worker", "infra/playbook_worker.py"}

_INTERPRETERS = re.compile(r"(ba|da|a|z|k)?sh|busybox|(python|pypy)[0-9.]*|env|nice|nohup|setsid|exec")
_LONG_WITH_A_VALUE = {"--check-hash-based-pycs", "--unset", "--chdir", "--rcfile", "--init-file"}
_WITH_A_VALUE = {"python": "WX", "env": "uC", "nice": "n", "sh": "o"}
"""Letters of an interpreter's flags whose value is the rest of the word, or a word of its own."""


def runs(words: Sequence[str]) -> str:
    """What a command line runs: the name of a module, or of a program or script with the folder it lies in.

    ["sh", "/x/bin/pulumi-resource-pulumi-python", "127.0.0.1:1"] -> "bin/pulumi-resource-pulumi-python";
    ["env", "A=b", "python3", "-um", "pulumi.dynamic"] -> "pulumi.dynamic"; ["sh", "-c", "pulumi up"] -> "".
    """
    left = list(words)
    while left:
        first = left.pop(0)
        name = Path(first).name.removeprefix("-")
        if not _INTERPRETERS.fullmatch(name):
            return "/".join(Path(first).parts[-2:])
        kind = "python" if name.startswith("py") else "sh" if name.endswith("sh") else name
        while left and (left[0][:1] in {"-", "+"} or (kind == "env" and "=" in left[0])):
            flag = left.pop(0)
            if flag in _LONG_WITH_A_VALUE:
                left = left[1:]
            elif not flag.startswith("--"):
                module = _flags(flag[1:], kind, left)
                if module is not None:
                    return module
    return ""


def _flags(letters: str, kind: str, left: list[str]) -> str | None:
    """What a word of flags says is run, if it does; the value of its last one is taken from `left`."""
    for number, letter in enumerate(letters):
        rest = letters[number + 1 :]
        if letter == "m" and kind == "python":
            return rest or "".join(left[:1])
        if letter == "c" and kind in {"python", "sh"}:
            return ""
        if letter in _WITH_A_VALUE.get(kind, ""):
            if not rest:
                del left[:1]
            return None
    return None


def name(process: Process) -> str:
    """What a person calls it: what it runs, or the interpreter where that cannot be told."""
    return (runs(process.words) or "".join(process.words[:1])).rpartition("/")[2] or "?"


def is_cli(process: Process) -> bool:
    """Whether it is the Pulumi CLI, whatever it does."""
    return _is(process, {CLI})


def of_pulumi(process: Process) -> bool:
    """Whether it is the CLI, a plugin, a script that serves as one, or the worker of a playbook."""
    found = runs(process.words)
    name = found.rpartition("/")[2]
    return name == CLI or name.startswith(f"{CLI}-") or _is(process, LANGUAGE_HOSTS | PROVIDERS | PROGRAMS | WORKERS)


PARTS: Mapping[str, Callable[[Process], bool]] = {
    "cli": lambda one: is_cli(one) and bool({"up", "destroy"} & set(one.words)),
    "docker plugin": lambda one: _is(one, {"pulumi-resource-docker"}),
    "libvirt plugin": lambda one: _is(one, {"pulumi-resource-libvirt"}),
    "provider": lambda one: _is(one, PROVIDERS),
    "language host": lambda one: _is(one, LANGUAGE_HOSTS),
    "program": lambda one: _is(one, PROGRAMS),
    "worker": lambda one: _is(one, WORKERS),
}
"""Part of an `up` or a `destroy` -> whether a process is it: what a bench and the tests kill."""


def _is(process: Process, names: set[str]) -> bool:
    found = runs(process.words)
    return found in names or found.rpartition("/")[2] in names
