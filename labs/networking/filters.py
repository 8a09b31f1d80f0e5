"""Packet filters as iptables-save prints them with its counters, and rules as iptables-restore takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

SAVED = ("iptables-save", "-c")
"""The command that prints all tables; `filters.read` reads it."""

_LOAD = 'printf "%s" "$1" | iptables-restore -w 10 --noflush'
_POLICY = re.compile(r":(?P<chain>\S+) (?P<policy>ACCEPT|DROP) \[(?P<packets>\d+):\d+\]")
_RULE = re.compile(r"\[(?P<packets>\d+):\d+\] -A (?P<chain>\S+) ?(?P<text>.*)")
_STOPS = re.compile(r"(^| )(policy|-j) (DROP|REJECT)\b")


@dataclass(frozen=True)
class Rule:
    """A rule, or a chain's policy, with the packets that it has counted."""

    table: str
    chain: str
    text: str
    packets: int

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from the others."""
        return (self.table, self.chain, self.text)

    @property
    def told(self) -> str:
        """It, for a person: "filter FORWARD: policy DROP"."""
        return f"{self.table} {self.chain}: {self.text}"


def read(saved: str) -> list[Rule]:
    """All rules and policies, in order."""
    table, found = "", []
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif policy := _POLICY.match(line):
            found.append(Rule(table, policy["chain"], f"policy {policy['policy']}", int(policy["packets"])))
        elif rule := _RULE.match(line):
            found.append(Rule(table, rule["chain"], rule["text"], int(rule["packets"])))
    return found


def stopped(before: Iterable[Rule], after: Iterable[Rule]) -> list[Rule]:
    """What has dropped or rejected packets meanwhile, with how many; of equal rules the sum."""
    had: dict[tuple[str, str, str], int] = {}
    for rule in before:
        had[rule.place] = had.get(rule.place, 0) + rule.packets
    have: dict[tuple[str, str, str], int] = {}
    for rule in after:
        have[rule.place] = have.get(rule.place, 0) + rule.packets
    return [
        Rule(*place, packets - had.get(place, 0))
        for place, packets in have.items()
        if _STOPS.search(place[2]) and packets > had.get(place, 0)
    ]


def policy(rules: Iterable[Rule], chain: str) -> Rule:
    """The policy of a chain of the table filter. Raises LookupError where there is no such table yet."""
    for rule in rules:
        if (rule.table, rule.chain) == ("filter", chain) and rule.text.startswith("policy "):
            return rule
    raise LookupError(f"no chain {chain} in the table filter")


def to_load(rules: Sequence[tuple[str, str]]) -> str:
    """(table, rule) pairs as iptables-restore takes them."""
    lines: list[str] = []
    for table in dict.fromkeys(table for table, _ in rules):
        lines += [f"*{table}", *(rule for where, rule in rules if where == table), "COMMIT"]
    return "".join(f"{line}\n" for line in lines)


def load(run: Callable[[Sequence[str]], object], rules: str) -> None:
    """Add rules to those that are there."""
    run(["sh", "-c", _LOAD, "sh", rules])
