"""What a Docker Engine changes in the machine's network, and how to take back only that.

Docker leaves its packet filter rules, bridges and sysctls behind when it stops. What was there before is noted
(`Before`); at the stop only rules that Docker makes, and that were not there before, are deleted, so that rules a
person added meanwhile stay.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.system import root, shell
from labkit.system.errors import LabError
from labkit.system.files import write_whole

FILTERS = ("iptables", "ip6tables")
_SAVED = ("iptables-save", "ip6tables-save")
_COMMAND_S = 30
_SYS = Path("/proc/sys")
_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/*",
    "net/ipv4/conf/default/*",
    "net/ipv4/conf/*/forwarding",
    "net/ipv6/conf/all/*",
    "net/ipv6/conf/default/*",
    "net/bridge/*",
)
_FIRST = "net/ipv4/ip_forward"
"""Written first: with it the kernel changes others along."""

_BRIDGE = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}|vvc[0-9a-f]{11}")
"""Docker's own names for bridges, and plan.py's for labs' networks."""


@dataclass(frozen=True)
class Rules:
    """One packet filter: policies of built-in chains, own chains, and rules (as saved, with -A), by table."""

    policies: Mapping[tuple[str, str], str]
    chains: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Before:
    """The machine's network as it was. `after` holds the sysctls as the engine's start left them."""

    boot_id: str
    filters: Mapping[str, str]
    """What iptables-save and ip6tables-save printed."""
    bridges: tuple[str, ...]
    sysctls: Mapping[str, str]
    after: Mapping[str, str] | None = None


def parse(saved: str) -> Rules:
    """Read what iptables-save prints."""
    policies: dict[tuple[str, str], str] = {}
    chains: list[tuple[str, str]] = []
    rules: list[tuple[str, str]] = []
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            if policy == "-":
                chains.append((table, name))
            else:
                policies[table, name] = policy
        elif line.startswith("-A "):
            rules.append((table, line))
    return Rules(policies, tuple(chains), tuple(rules))


def is_docker_rule(rule: str, bridges: Iterable[str]) -> bool:
    """Whether a rule outside Docker's own chains has a form that Docker gives to its rules for these bridges."""
    if re.search(r" -[jg] DOCKER(-[A-Z0-9-]+)?$", rule):
        return True
    if re.fullmatch(r"-A POSTROUTING -s (\S+) -d \1 .*-j MASQUERADE", rule):  # a published port, reached by its owner
        return True
    name = "(" + "|".join(re.escape(bridge) for bridge in bridges) + ")"
    forms = (
        rf"-A FORWARD -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        rf"-A FORWARD -i {name} (! )?-o \1 -j (ACCEPT|DROP)",
        rf"-A POSTROUTING -s \S+ ! -o {name} -j MASQUERADE",
        rf"-A POSTROUTING -o {name} -m addrtype --src-type LOCAL -j MASQUERADE",
        rf"-A PREROUTING -d \S+ ! -i {name} -j DROP",
    )
    return any(re.fullmatch(form, rule) for form in forms)


def undo(before: Rules | None, now: Rules, bridges: Iterable[str]) -> list[list[str]]:
    """Pure: arguments of the iptables calls that take back what Docker added.

    Without `before` only what carries Docker's names goes, and policies stay. DOCKER-USER stays, with the jump to
    it, if it holds rules: a person wrote them.
    """
    names = tuple(bridges)
    had_rules = set(before.rules) if before else set()
    had_chains = set(before.chains) if before else set()
    user = [(table, rule) for table, rule in now.rules if rule.startswith("-A DOCKER-USER ") and rule[-7:] != " RETURN"]
    kept = {(table, "DOCKER-USER") for table, _ in user} | had_chains
    own = [chain for chain in now.chains if chain[1].split("-")[0] == "DOCKER" and chain not in kept]
    calls: list[list[str]] = []
    for table, rule in now.rules:
        words = shlex.split(rule)
        if words[1].split("-")[0] == "DOCKER" or (table, rule) in had_rules or not is_docker_rule(rule, names):
            continue
        if (table, words[-1]) not in kept:
            calls.append(["-t", table, "-D", *words[1:]])
    calls += [["-t", table, "-F", chain] for table, chain in own]
    calls += [["-t", table, "-X", chain] for table, chain in own]
    policy = (before.policies.get(("filter", "FORWARD"), "ACCEPT")) if before else "DROP"
    if now.policies.get(("filter", "FORWARD")) == "DROP" and policy != "DROP":
        calls.append(["-t", "filter", "-P", "FORWARD", policy])
    return calls


def sysctls_to_restore(before: Mapping[str, str], after: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Pure: the values to write back: of those that the engine's start changed and that nobody changed since."""
    names = [name for name in before if after.get(name, before[name]) != before[name] and now.get(name) == after[name]]
    return {name: before[name] for name in sorted(names, key=lambda name: (name != _FIRST, name))}


def docker_bridges(bridges: Iterable[str], before: Iterable[str]) -> list[str]:
    """Pure: those of the machine's bridges that Docker made since."""
    had = set(before)
    return [bridge for bridge in bridges if _BRIDGE.fullmatch(bridge) and bridge not in had]


def look() -> Before:
    """The machine's network as it is."""
    return Before(boot_id(), _filters(), tuple(_bridges()), read_sysctls())


def load(file: Path) -> Before | None:
    """What was noted since this boot, if anything: rules do not outlive a boot."""
    try:
        noted = Before(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return noted if noted.boot_id == boot_id() else None


def save(before: Before, file: Path) -> None:
    """Write it, whole or not at all."""
    write_whole(file, json.dumps(asdict(before)) + "\n")


def take_back(before: Before | None) -> None:
    """Delete what Docker added, and set back the sysctls that still have the value that its start gave them."""
    bridges = _bridges()
    ours = docker_bridges(bridges, before.bridges if before else ())
    now = _filters()
    failed: list[str] = []
    for filter_, saved in now.items():
        was = parse(before.filters.get(filter_, "")) if before else None
        for call in undo(was, parse(saved), ours):
            outcome = shell.run([_program(filter_), "-w", "10", *call], timeout_s=_COMMAND_S, check=False)
            if not outcome.ok:
                failed.append(outcome.pasteable)
    for bridge in ours:
        shell.run([_program("ip"), "link", "delete", bridge], timeout_s=_COMMAND_S, check=False)
    if before is not None and before.after is not None:
        for name, value in sysctls_to_restore(before.sysctls, before.after, read_sysctls()).items():
            _write(name, value)
    if failed:
        raise LabError(f"Some of Docker's rules could not be deleted: {'; '.join(failed)}", hint="iptables-save")


def read_sysctls() -> dict[str, str]:
    """The sysctls that Docker, or the kernel along with it, may change."""
    found: dict[str, str] = {}
    for pattern in _SYSCTLS:
        for file in sorted(_SYS.glob(pattern)):
            try:
                found[str(file.relative_to(_SYS))] = file.read_text(encoding="utf-8").strip()
            except OSError:  # write-only ones, and those of an interface that has just gone
                continue
    return found


def _write(name: str, value: str) -> None:
    file = _SYS / name
    try:
        if file.read_text(encoding="utf-8").strip() != value:
            file.write_text(value, encoding="utf-8")
    except OSError as error:
        raise LabError(f"sysctl {name} could not be set back to {value}: {error}", hint="set it by hand") from error


def _filters() -> dict[str, str]:
    found: dict[str, str] = {}
    for filter_, program in zip(FILTERS, _SAVED, strict=True):
        path = root.which(program)
        if path is not None:
            outcome = shell.run([path], timeout_s=_COMMAND_S, stdout_only=True, check=False)
            if outcome.ok:
                found[filter_] = outcome.output
    return found


def _bridges() -> list[str]:
    # Not /sys/class/net: it may show another network namespace than this process's.
    outcome = shell.run([_program("ip"), "-o", "link", "show", "type", "bridge"], timeout_s=_COMMAND_S)
    return [line.split(":")[1].strip().split("@")[0] for line in outcome.output.splitlines() if ":" in line]


def _program(name: str) -> str:
    path = root.which(name)
    if path is None:
        raise LabError(f"The program {name} is missing.", hint="./lab setup")
    return path


def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
