"""The fairness guard: what must be equal before two arms may be compared. Pure.

It reads the conditions that each repeat recorded about itself. An experiment may name conditions that differ because
they are what it compares (its subject); so does a claim by the factors of its arms. Who the sides are and how the
client sends is checked regardless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from infra.sides import SideKind
from labkit.judge import words
from labkit.runs.records import Arm, Repeat

Value = str | int | float
Arms = Mapping[Arm, Sequence[Repeat]]
"""Arm, as a claim names it -> its repeats that count."""

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
"""By these each arm proves what its side is; that they differ between sides is the point."""

OPEN_LOOP = "open loop"
NO_CLIENT = "none"
OWN_CPU = "host"
"""The accelerator of a side that runs straight on its server's kernel."""


def differences(
    repeats: Arms, *, subject: Iterable[str], exact: bool, accelerator: str, kinds: Mapping[str, SideKind]
) -> tuple[str, ...]:
    """Why these arms may not be compared, each reason a sentence; empty if they may.

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
        *_factors(repeats, kinds),
        *_within(repeats, {**names, "server_boot_id": PROOF["server_boot_id"]}, kinds),
        *_between(repeats, {name: word for name, word in names.items() if name not in free}, kinds),
    )


def identities(repeats: Arms, kinds: Mapping[str, SideKind]) -> tuple[str, ...]:
    """Whether each arm is what its side's column says, by the boot ids that its repeats recorded."""
    found = []
    for arm, own in repeats.items():
        others = [other for other in repeats if other.side != arm.side]
        elsewhere = {_text(one, "boot_id") for other in others for one in repeats[other]}
        for boot, server in dict.fromkeys((_text(one, "boot_id"), _text(one, "server_boot_id")) for one in own):
            if not boot or not server or (boot == server) == kinds[arm.side].shares_kernel:
                continue
            word = words.named(arm, kinds)
            if not kinds[arm.side].shares_kernel:
                no = kinds[arm.side].word
                found.append(f"The {word} answered with its server's boot id {boot}: it is no {no}.")
            elif boot in elsewhere:
                told = " or the ".join(words.named(other, kinds) for other in others)
                found.append(f"The {word} answered with the boot id {boot} of the {told}: it was measured inside it.")
            else:
                found.append(
                    f"The {word} answered with boot id {boot}, its server has {server}: another kernel ran it."
                )
    return tuple(found)


def _unrecorded(repeats: Arms, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for arm, own in repeats.items():
        missing = [word for name, word in names.items() if any(one.conditions.get(name, "") == "" for one in own)]
        if missing:
            found.append(f"For the {words.named(arm, kinds)} this is not recorded: {', '.join(missing)}.")
    return found


def _accelerators(repeats: Arms, accelerator: str, kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for arm, own in repeats.items():
        proper = OWN_CPU if kinds[arm.side].shares_kernel else accelerator
        wrong = dict.fromkeys(text for one in own if (text := _text(one, "accelerator")) not in ("", proper))
        found += [
            f"The {words.named(arm, kinds)} says its accelerator is {text}, and in this run it must be {proper}."
            for text in wrong
        ]
    return found


def _closed_loops(repeats: Arms, kinds: Mapping[str, SideKind]) -> list[str]:
    return [
        f"The client of the {words.named(arm, kinds)} was {client!r}: only an open loop counts, "
        "as a client that waits for answers does not see the delays it causes."
        for arm, own in repeats.items()
        for client in dict.fromkeys(_text(one, "client") for one in own)
        if client not in ("", NO_CLIENT) and not client.startswith(OPEN_LOOP)
    ]


def _factors(repeats: Arms, kinds: Mapping[str, SideKind]) -> list[str]:
    """What the arms of the claim do not name must be one and the same, or be chosen nowhere."""
    chosen = dict.fromkeys(name for own in repeats.values() for one in own for name in one.factors)
    subject = {name for arm in repeats for name in arm.factors}
    found = []
    for name in chosen:
        values = {
            arm: list(dict.fromkeys(one.factors.get(name, "none") for one in own)) for arm, own in repeats.items()
        }
        found += [_changed(arm, name, own, kinds) for arm, own in values.items() if name not in arm.factors and own[1:]]
        if name not in subject:
            found += _unlike(f"{name}, which is not what is compared", values, kinds)
    return found


def _within(repeats: Arms, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    return [
        _changed(arm, word, values, kinds)
        for arm, own in repeats.items()
        for name, word in names.items()
        if len(values := _values(own, name)) > 1
    ]


def _between(repeats: Arms, names: Mapping[str, str], kinds: Mapping[str, SideKind]) -> list[str]:
    found = []
    for name, word in names.items():
        found += _unlike(word, {arm: own for arm, those in repeats.items() if (own := _values(those, name))}, kinds)
    return found


def _changed(arm: Arm, word: str, values: Sequence[Value], kinds: Mapping[str, SideKind]) -> str:
    told = ", then ".join(str(value) for value in values)
    return f"Between repeats of the {words.named(arm, kinds)} {word} changed: {told}."


def _unlike(word: str, values: Mapping[Arm, Sequence[Value]], kinds: Mapping[str, SideKind]) -> list[str]:
    if len({frozenset(own) for own in values.values()}) <= 1:
        return []
    told = ", ".join(f"{' or '.join(map(str, own))} for the {words.named(arm, kinds)}" for arm, own in values.items())
    who = "sides" if len({arm.side for arm in values}) > 1 else "arms"
    return [f"The {who} differ in {word}: {told}."]


def _values(repeats: Sequence[Repeat], name: str) -> list[Value]:
    """The different values that were recorded, in the order of the repeats."""
    return list(dict.fromkeys(one.conditions[name] for one in repeats if one.conditions.get(name, "") != ""))


def _text(repeat: Repeat, name: str) -> str:
    return str(repeat.conditions.get(name, ""))
