"""Experiment *escapes*: five harmless attempts to get out, the same on both sides, each with what stops it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.judge.model import Row
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.labs import Table
from labkit.runs.records import Run
from labs.isolation import capabilities, sights, trying
from labs.isolation.sides import rights

SERVER = """
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
awk '{ for (i = 7; $i != "-"; i++) { }
       if ($5 == "/" || $5 == "/var/lib/docker") print "disk", $3, $(i + 1), $5 }' /proc/self/mountinfo
"""
"""The server's boot id, and number and kind of what its files lie on, and of what its engine's files lie on."""

ATTEMPTS = {
    "release_agent": "a program for the kernel to start: cgroup release_agent",
    "disk": "the server's disk, mounted",
    "sysrq": "a key for the kernel: /proc/sysrq-trigger",
    "module": "a module for the kernel",
    "core_pattern": "a program for the kernel to start: core_pattern",
}
"""Name in trying.ATTEMPTS -> in words."""

NEEDS = {
    ("release_agent", "mount"): "SYS_ADMIN",
    ("disk", "device file"): "MKNOD",
    ("disk", "mount"): "SYS_ADMIN",
    ("module", "load"): "SYS_MODULE",
}
"""Attempt and step -> the capability without which the kernel refuses it."""

UNFILTERED = {("disk", "device file")}
"""Of these, what an engine's filter lets through."""

SERVER_REACHED, OWN_REACHED = "reached its server's kernel", "reached its own kernel"
STOPPED, ABSENT = "stopped", "nothing there to be tried"
MISSING = {"ENODEV", "ENOENT", "ENOSYS", "ENXIO", "EINVAL"}
"""Errors of what is not there to be tried."""


def measure(place: Place, turn: Turn) -> Seen:
    """Make all attempts once, with the arm's rights."""
    replica = place.along(turn.arm)
    server = of_server(place.run(replica)(["sh", "-c", SERVER]).output)
    asked = json.dumps({"device": server["device"], "kind": server["kind"]})
    text, ran_as = rights.python(place, turn.arm, trying, asked)
    told = json.loads(text)
    found = [outcome(name, told, server["boot_id"]) for name in told["attempts"]]
    return Seen(
        {
            "reached_the_server": float(sum(one["outcome"] == SERVER_REACHED for one in found)),
            "stopped": float(sum(one["outcome"] == STOPPED for one in found)),
        },
        facts={
            "ran_as": ran_as,
            "attempts": found,
            "boot_id": {"inside": told["boot_id"], "server": server["boot_id"]},
            "status": told["status"],
            "security_module": told["security_module"],
            "servers_disk": server,
        },
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def of_server(text: str) -> dict[str, str]:
    """The lines of SERVER; of several disks the engine's, which is the last that is mounted. Pure."""
    found = {"boot_id": "", "device": "", "kind": ""}
    for kind, *words in (line.split() for line in text.splitlines() if line.strip()):
        if kind == "boot_id":
            found["boot_id"] = words[0]
        elif kind == "disk" and (not found["device"] or words[2] != "/"):
            found["device"], found["kind"] = words[:2]
    return found


def outcome(name: str, told: Mapping[str, Any], server_boot_id: str) -> dict[str, str]:
    """How an attempt ended: what it reached, or at which step it was stopped, and by what. Pure."""
    ended = told["attempts"][name]
    if ended["error"]:
        if ended["error"] in MISSING:
            return {"attempt": name, "outcome": ABSENT, "by": "", **ended}
        return {"attempt": name, "outcome": STOPPED, "by": stopped_by(name, ended, told["status"]), **ended}
    reached = SERVER_REACHED if told["boot_id"] == server_boot_id else OWN_REACHED
    return {"attempt": name, "outcome": reached, "by": "", **ended}


def stopped_by(name: str, ended: Mapping[str, str], status: Mapping[str, str]) -> str:
    """What stopped an attempt, from the step, its error and what the process may do. Pure.

    Where several would have stopped it, all that are known are named: which of them came first the kernel does not say.
    """
    error, at = ended["error"], (name, ended["step"])
    need, root = NEEDS.get(at, ""), status.get("Uid", "").split()[:1] == ["0"]
    filtered = status.get("Seccomp") == "2"
    lacks = need and need not in capabilities.held(status.get("CapEff", ""))
    known = {
        "the file is mounted read-only": error == "EROFS",
        "the kernel takes signed modules alone": error == "EKEYREJECTED",
        "the file's mode: root alone may": error == "EACCES" and not root,
        "the kernel's security module": error == "EACCES",
        f"no capability {need}, and the engine's filter of system calls": lacks and filtered and at not in UNFILTERED,
        f"no capability {need}": lacks,
        "its control group: no such device may be opened": at == ("disk", "open"),
        "a namespace of control groups of its own": name == "release_agent",
        "the engine's filter of system calls": filtered,
    }
    return next((by for by, true in known.items() if true), "the kernel")


def table(run: Run, _rows: Sequence[Row]) -> Table:
    """A line for each attempt, a column for each arm: what it reached, or what stopped it."""
    repeats = [one for one in sights.counting(run, "escapes") if "attempts" in one.facts]
    by_arm = [{one["attempt"]: one for one in repeat.facts["attempts"]} for repeat in repeats]
    lines = [(told, *(_ended(ends.get(name)) for ends in by_arm)) for name, told in ATTEMPTS.items()]
    lines = [sights.run_as(repeats), *lines] if repeats else []
    return Table("Five attempts to get out", ("attempt", *map(sights.who, repeats)), lines)


def _ended(one: Mapping[str, str] | None) -> str:
    if one is None:
        return "not made"
    by = f": {one['by']}" if one["by"] else ""
    at = f" ({one['step']}: {one['error']})" if one["error"] else ""
    return f"{one['outcome']}{by}{at}"


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:  # noqa: ARG001 - what is seen once is seen
    """Once under each arm."""
    return take_turns([arm for arm in rights.ARMS if arm.side in sides], 1, warm_ups=0)


EXPERIMENT = Experiment(
    name="escapes",
    question="Five well-known ways out: which of them is stopped, by what, and which reaches the server's kernel?",
    prediction="How many of the five reach the server from a VM, from a container, from a privileged one?",
    turns=turns,
    measure=measure,
    restore=rights.restore,
)
