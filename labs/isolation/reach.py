"""Experiment *reach*: what each side sees and may touch of its server, asked from inside by one program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from labkit.measure import marking
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.sides import Runner
from labs.isolation import capabilities, looking
from labs.isolation.sides import rights

SERVER = r"""
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
for file in /proc/self/ns/*; do echo "namespace $(readlink "$file")"; done
grep -l -a -s -e "$1" /proc/[0-9]*/cmdline | while read -r file; do
    folder=${file%/cmdline}
    read -r call _ < "$folder/syscall" || call=unknown
    echo "process ${folder#/proc/} $call $(sed -n 's/^NSpid:\t//p' "$folder/status")"
done
true
"""
"""What the server's kernel says of itself and of a process whose words match $1: its number, the system call in which
it waits, and its number in each of its process namespaces."""

READ_CALLS = {"0", "63"}
"""The number of read(2), on x86_64 and on aarch64."""


def measure(place: Place, turn: Turn) -> Seen:
    """Look once, from inside and from the server, while its server, it and its neighbour have a marked process each."""
    arm = turn.arm
    replica, neighbour = place.along(arm), rights.replica(place, arm, 1)
    addresses = {one.name: _address(one.url) for one in place.contract.replicas if one.name != replica.name}
    with ExitStack() as stack:
        markers = {
            "server": stack.enter_context(marking.in_server(place, replica)),
            "neighbour": stack.enter_context(marking.inside(place, neighbour)),
        }
        own = stack.enter_context(marking.inside(place, replica))
        asked = {"markers": [one[::-1] for one in markers.values()], "addresses": list(addresses.values())}
        text, ran_as = rights.python(place, arm, looking, json.dumps(asked))
        inside = json.loads(text)
        server = of_server(_ask_server(place.run(replica), own))
    inside["reached"] = {name: inside["reached"][address] for name, address in addresses.items()}
    found = inside["processes"].pop("markers")
    facts = {
        "ran_as": ran_as,
        "inside": inside,
        "server": server,
        "sees": {who: marker in found for who, marker in markers.items()},
        "shares": shared(inside, server),
    }
    return Seen(
        counts(inside),
        facts=facts,
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def _ask_server(run: Runner, marker: str) -> str:
    # The pattern does not match itself, which stands among the words of whoever looks.
    return run(["sh", "-c", SERVER, "sh", f"[{marker[0]}]{marker[1:]}"]).output


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}"


def of_server(text: str) -> dict[str, Any]:
    """The lines of SERVER. `process` is the marked one, with its number in its own namespace; None if there is none."""
    found: dict[str, Any] = {"boot_id": "", "namespaces": {}, "process": None}
    for kind, *words in (line.split() for line in text.splitlines() if line.strip()):
        if kind == "boot_id":
            found["boot_id"] = words[0]
        elif kind == "namespace":
            name, _, number = words[0].partition(":")
            found["namespaces"][name] = f"{name}:{number}"
        elif kind == "process":
            pid, call, *numbers = words
            waits = "read" if call in READ_CALLS else call
            found["process"] = {"pid": int(pid), "call": waits, "pid_inside": int((numbers or [pid])[-1])}
    return found


def shared(inside: Mapping[str, Any], server: Mapping[str, Any]) -> list[str]:
    """What it has in common with its server: the kernel, and namespaces, whose numbers say nothing of another kernel.

    Pure.
    """
    if inside["boot_id"] != server["boot_id"]:
        return []
    same = [name for name, one in inside["namespaces"].items() if one == server["namespaces"].get(name)]
    return ["kernel", *(f"{name} namespace" for name in same)]


def counts(inside: Mapping[str, Any]) -> dict[str, float]:
    """What can be counted of it. Pure."""
    return {
        "processes": float(inside["processes"]["count"]),
        "capabilities": float(len(capabilities.held(inside["status"].get("CapEff", "")))),
        "kernel_log_bytes": float(inside["kernel_log"]["bytes"]),
        "writable_settings": float(inside["proc_sys"]["writable"]),
        "writable_in_sys": float(inside["sys"]["writable"]),
        "device_files": float(len(inside["devices"]["files"])),
        "readable_block_devices": float(sum(not one for one in inside["devices"]["block_in_dev"].values())),
    }


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:  # noqa: ARG001 - what is seen once is seen
    """Once under each arm."""
    return take_turns([arm for arm in rights.ARMS if arm.side in sides], 1, warm_ups=0)


EXPERIMENT = Experiment(
    name="reach",
    question="What does each side see, and what may it touch, of its server and of its neighbour?",
    prediction="A container's root and a guest's root: which of them sees its server's processes, log, devices, disks?",
    turns=turns,
    measure=measure,
    restore=rights.restore,
)
