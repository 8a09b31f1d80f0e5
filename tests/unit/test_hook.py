"""The hook by which a server leads ports to its guests behind NAT, run against a packet filter of words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "images" / "server" / "hook.sh"
IPTABLES = r"""#!/bin/sh
# Called as iptables -w 10 -t TABLE VERB CHAIN RULE; keeps a rule a line, the first one first, after its table's name.
table=$4 verb=$5 chain=$6
shift 6
case $verb in
-C) grep -qFx -e "$table -A $chain $*" "$RULES" ;;
-I) { echo "$table -A $chain $*"; cat "$RULES"; } > "$RULES.new"; mv "$RULES.new" "$RULES" ;;
-D) grep -vFx -e "$table -A $chain $*" "$RULES" > "$RULES.new"; mv "$RULES.new" "$RULES" ;;
-S) sed -n "s/^$table \(-A $chain .*\)/\1/p" "$RULES" ;;
esac
"""
BEHIND_NAT = """<domain type='qemu'>
  <name>vm-2</name>
  <description>port 8102 to 10.9.8.17:8000
port 8202 to 10.9.8.17:22</description>
</domain>
"""
BRIDGED = "<domain type='qemu'>\n  <name>vm-1</name>\n</domain>\n"
OTHERS = [
    "filter -A FORWARD -j DOCKER-USER",
    "filter -A FORWARD -p tcp -m tcp --dport 22 -m comment --comment ports-of-vm-21 -j ACCEPT",
]
"""A person's, and those of another guest whose name begins alike."""
MARK = "-m comment --comment ports-of-vm-2"
OPEN = [
    f"filter -A FORWARD -d 10.9.8.17 -p tcp -m tcp --dport 22 {MARK} -j ACCEPT",
    f"nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8202 {MARK} -j DNAT "
    "--to-destination 10.9.8.17:22",
    f"filter -A FORWARD -d 10.9.8.17 -p tcp -m tcp --dport 8000 {MARK} -j ACCEPT",
    f"nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8102 {MARK} -j DNAT "
    "--to-destination 10.9.8.17:8000",
]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules that there are at first."""
    file = tmp_path / "rules"
    file.write_text("\n".join(OTHERS) + "\n", encoding="utf-8")
    program = tmp_path / "iptables"
    program.write_text(IPTABLES, encoding="utf-8")
    program.chmod(0o755)
    return file


def hook(rules: Path, event: str, definition: str = BEHIND_NAT) -> list[str]:
    """What is there after libvirt has called it."""
    subprocess.run(
        ["sh", str(HOOK), "vm-2", event, "begin", "-"],
        env={"PATH": f"{rules.parent}:/usr/bin:/bin", "RULES": str(rules)},
        input=definition,
        text=True,
        encoding="utf-8",
        timeout=20,
        check=True,
    )
    return rules.read_text(encoding="utf-8").splitlines()


def test_ports_lead_to_a_guest_while_it_runs(rules: Path) -> None:
    """Before all other rules, once however often it is asked, and no longer when it has stopped."""
    for event in ("prepare", "start", "started", "reconnect", "reconnect"):
        found = hook(rules, event)
        assert found == ([*OPEN, *OTHERS] if event != "prepare" else OTHERS)
    assert hook(rules, "stopped") == OTHERS
    assert hook(rules, "release") == OTHERS


def test_what_somebody_flushed_is_made_anew(rules: Path) -> None:
    """The rule that is gone alone."""
    found = hook(rules, "start")
    rules.write_text("\n".join(found[1:]) + "\n", encoding="utf-8")
    assert hook(rules, "reconnect") == found


def test_a_bridged_guest_needs_no_rule(rules: Path) -> None:
    """Its definition speaks of no port."""
    assert hook(rules, "start", BRIDGED) == OTHERS
