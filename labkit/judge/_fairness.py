"""The fairness guard: what must be equal before two sides may be compared. Pure.

It reads the conditions that each repeat recorded about itself. An experiment may name conditions that differ because
they are what it compares (its subject); who the sides are and how the client sends is checked regardless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from labkit.runs.records import Repeat
from labkit.sides.kinds import SideKind

Value = str | int | float
Sides = Mapping[str, Sequence[Repeat]]
"""Side -> its repeats that count."""

EQUAL: Mapping[str, str] = {
    "service_version": "the service's version",
    "service_commit": "the service's commit",
    "vcpus": "the number of CPUs",
    "memory_mib": "the memory limit (MiB)",
    "storage": "the storage",
}
"""Condition -> its name in a sentence. These must be recorded and equal for every comparison …"""

EQUAL_WHEN_TIMED: Mapping[str, str] = {
    "start_line": "the start line",
    "finish_line": "the finish line",
    "client": "the client",
    "cache": "the state of the caches",
}
"""… and these where something is timed. A count of bytes needs no start line, but has equal ones if it has any."""

PROOF: Mapping[str, str] = {
    "boot_id": "the boot id that it answered with",
    "server_boot_id": "its server's boot id",
    "accelerator": "the accelerator",
}
"""By these each side proves what it is; that they differ between the sides is the point."""

OPEN_LOOP = "open loop"
NO_CLIENT = "none"
OWN_CPU = "host"
"""The accelerator of a side that runs straight on its server's kernel."""


def differences(
    repeats: Sides, *, subject: Iterable[str], exact: bool, accelerator: str, kinds: Mapping[str, SideKind]
) -> tuple[str, ...]:
    """Why these sides may not be compared, each reason a sentence; empty if they may.

    `exact` is true for what is counted; `accelerator` is the run's. Repeats that do not count must be left out.
    """
    timed = {} if exact else EQUAL_WHEN_TIMED
    free = set(subject)
    names = {**EQUAL, **EQUAL_WHEN_TIMED}
    return (
        *_unrecorded(repeats, {**EQUAL, **timed, **PROOF}, kinds),
        *identities(repeats, kinds),
        *_accelerators(repeats, accelerator, kinds),
        *_closed_loops(repeats, kinds),
        *_within(repeats, {**names, "server_boot_id": PROOF["server_boot_id"]}, kinds),
        *_between(repeats, {name: word for name, word in names.items() if name not in free}, kinds),
    )


def identities(repeats: Sides, kinds: Mapping[str, SideKind]) -> tuple[str, ...]:
    """Whether each side is what its column says, by the boot ids that its repeats recorded."""
    found = []
    for side, own in repeats.items():
        elsewhere = {_text(one, "boot_id") for other, those in repeats.items() if other != side for one in those}
        for boot, server in dict.fromkeys((_text(one, "boot_id"), _text(one, "server_boot_id")) for one in own):
            if not boot or not server or (boot == server) == kinds[side].shares_kernel:
                continue
            word = kinds[side].word
            if not kinds[side].shares_kernel:
                found.append(f"The {word} answered with its server's boot id {boot}: it is no {word}.")
            elif boot in elsewhere:
                others = " or the ".join(kinds[other].word for other in repeats if other != side)
                found.append(f"The {word} answered with the boot id {boot} of the {others}: it was measured inside it.")
            else:
                found.append(
                    f"The {word} answered with boot id {boot}, its server has {server}: another kernel ran it."
                )
    return tuple(found)


def _unrecorded(repeats: Sides, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for side, own in repeats.items():
        missing = [word for name, word in names.items() if any(one.conditions.get(name, "") == "" for one in own)]
        if missing:
            found.append(f"For the {kinds[side].word} this is not recorded: {', '.join(missing)}.")
    return found


def _accelerators(repeats: Sides, accelerator: str, kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for side, own in repeats.items():
        proper = OWN_CPU if kinds[side].shares_kernel else accelerator
        wrong = dict.fromkeys(text for one in own if (text := _text(one, "accelerator")) not in ("", proper))
        found += [
            f"The {kinds[side].word} says its accelerator is {text}, and in this run it must be {proper}."
            for text in wrong
        ]
    return found


def _closed_loops(repeats: Sides, kinds: Mapping[str, SideKind]) -> list[str]:
    return [
        f"The client of the {kinds[side].word} was {client!r}: only an open loop counts, "
        "as a client that waits for answers does not see the delays it causes."
        for side, own in repeats.items()
        for client in dict.fromkeys(_text(one, "client") for one in own)
        if client not in ("", NO_CLIENT) and not client.startswith(OPEN_LOOP)
    ]


def _within(repeats: Sides, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for side, own in repeats.items():
        for name, word in names.items():
            values = _values(own, name)
            if len(values) > 1:
                told = ", then ".join(str(value) for value in values)
                found.append(f"Between repeats of the {kinds[side].word} {word} changed: {told}.")
    return found


def _between(repeats: Sides, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for name, word in names.items():
        values = {side: own for side, those in repeats.items() if (own := _values(those, name))}
        if len({frozenset(own) for own in values.values()}) > 1:
            told = ", ".join(f"{' or '.join(map(str, own))} for the {kinds[side].word}" for side, own in values.items())
            found.append(f"The sides differ in {word}: {told}.")
    return found


def _values(repeats: Sequence[Repeat], name: str) -> list[Value]:
    """The different values that were recorded, in the order of the repeats."""
    return list(dict.fromkeys(one.conditions[name] for one in repeats if one.conditions.get(name, "") != ""))


def _text(repeat: Repeat, name: str) -> str:
    return str(repeat.conditions.get(name, ""))
