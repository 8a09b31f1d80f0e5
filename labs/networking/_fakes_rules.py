"""What the experiments *firewall*, *forward* and *segments* do to a lab, for the suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from labkit.lifecycle import inside
from labkit.measure.testing import FakeLab, Patch
from labkit.system import carry
from labs.networking import filters, firewall, forward, undoing
from labs.networking.sides import own_filter, segment

IN_SERVER, IN_GUEST = "tried in a server: ", "tried in a guest: "
SAVED = """*filter
:FORWARD DROP [0:0]
COMMIT
"""
LOOKS = {
    "iptables-save": SAVED,
    "readlink": "net:[{where}]\n",
    "{{.State.Pid}}": "7\n",
    "{{.Image}}": "sha256:1\n",
    "ip -4 -o": "2: eth0    inet 10.0.0.16/24 scope global eth0\n",
    "cat /proc/self/status": "CapEff:\t0\n",
    f"cat {undoing.CALLS}": "1\n",
    forward._ENGINE: "version 26.1\nsetting missing\n",
    segment._CONNECT: "reached\n",
}
"""What is in a command that changes nothing -> what it prints."""

CHANGES = (filters._LOAD, undoing.CALLS, forward.SKIP, *forward.WAYS.values(), "vvc-segment")
"""What is in a command that changes something in a server until it is mended there."""


def does(fake: FakeLab, where: str, words: Sequence[str]) -> str | None:
    """What a command of these experiments does and prints; None where it is none of theirs."""
    text = " ".join(words)
    for fits, name, add, drop in (
        (text == inside.UNDO, "mend", (), IN_SERVER),
        (own_filter._LOAD in words, "rules in the guest", (f"{IN_GUEST}rules",), ""),
        (own_filter.CLEAR_GUEST in words, "clear the guest", (), IN_GUEST),
        (segment._JOIN_GUEST in words, "address in the guest, which goes with its adapter", (), ""),
    ):
        if fits:
            fake.step(name, *add, drop=[one for one in fake.touched if drop and one.startswith(drop)])
            return ""
    for part, said in LOOKS.items():
        if part in text and "iptables -w" not in text:
            fake.step(text[:30])
            return said.replace("{where}", where)
    if any(_fits(part, text) for part in CHANGES):
        fake.step(text[:30], f"{IN_SERVER}{text[:60]}")
        return ""
    return None


def _fits(part: str, text: str) -> bool:
    return part.split("{", maxsplit=1)[0].strip() in text


def _answered(fake: FakeLab) -> str:
    fake.step("ask")
    return "answered"


def _carry(fake: FakeLab) -> Callable[..., Any]:
    return lambda *_words: fake.step("carry iptables in", f"{IN_GUEST}iptables")


def patches(fake: FakeLab) -> list[Patch]:
    """What they call by other ways than the place."""
    return [
        (carry, "carry", _carry(fake)),
        (firewall, "ask", lambda *_words: _answered(fake)),
        (firewall, "client_of", lambda _url: "10.0.0.1"),
        (firewall, "judged", lambda *_words: {"dropped_by": ""}),
        (forward, "answers", lambda _url, within_s: None if within_s == forward.CUT_OFF_S else 0.1),
    ]
