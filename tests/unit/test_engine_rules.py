"""Whether an engine's packet filter rules are there, and whose rule stands in the way."""

from __future__ import annotations

import pytest

from labkit.setup.checks_firewall import firewall
from labkit.setup.docker import engine
from labkit.setup.docker import rules as engine_rules
from labkit.setup.docker._network import Rules, parse
from labkit.setup.docker.engine import Engine
from labkit.setup.docker.rules import makes_rules, obstacle, passage, problem
from labkit.system.errors import LabError
from labkit.system.progress import Quiet

OLD = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -o vvc1 -j DOCKER
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
NEW = OLD.replace("-A FORWARD -j DOCKER-ISOLATION-STAGE-1", "-A FORWARD -j DOCKER-FORWARD").replace(
    "-A FORWARD -o", "-A DOCKER-BRIDGE -o"
)
BRIDGES = ("docker0", "vvc1")


def without(saved: str, *starts: str, table: str = "") -> Rules:
    """What iptables-save prints, without the lines that begin so, in one table or in all."""
    lines, here = [], ""
    for line in saved.splitlines():
        here = line[1:] if line.startswith("*") else here
        if not (line.startswith(starts) and table in {"", here}):
            lines.append(line)
    return parse("\n".join(lines))


@pytest.mark.parametrize("saved", [OLD, NEW], ids=["Docker 20", "Docker 28"])
def test_all_is_there(saved: str) -> None:
    """As engines of either age make it."""
    assert problem(parse(saved), BRIDGES) == ""


@pytest.mark.parametrize("saved", [OLD, NEW], ids=["Docker 20", "Docker 28"])
@pytest.mark.parametrize(
    ("starts", "table", "told"),
    [
        (("-A", ":DOCKER"), "", "chains are gone from the table filter and nat"),
        (("-A", ":DOCKER"), "filter", "chains are gone from the table filter"),
        (("-A", ":DOCKER"), "nat", "chains are gone from the table nat"),
        (("-A",), "filter", "FORWARD no longer leads to the engine's chains"),
        (("-A",), "nat", "PREROUTING no longer leads to the engine's chains"),
        (("-A FORWARD -j DOCKER-ISO", "-A FORWARD -j DOCKER-F", "-A FORWARD -o"), "filter", "FORWARD no longer leads"),
        (("-A FORWARD -o vvc1", "-A DOCKER-BRIDGE -o vvc1"), "", "there is no rule for the bridge vvc1"),
    ],
    ids=["iptables -F -X", "filter only", "nat only", "-F alone", "-t nat -F alone", "made anew in part", "one bridge"],
)
def test_what_was_flushed_is_named(saved: str, starts: tuple[str, ...], table: str, told: str) -> None:
    """Chains, the ways to them, and the rules of one bridge."""
    assert told in problem(without(saved, *starts, table=table), BRIDGES)


@pytest.mark.parametrize(
    ("policy", "rules", "told"),
    [
        ("ACCEPT", (), ""),
        ("DROP", (), "the policy of INPUT is DROP"),
        ("DROP", ("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",), ""),
        ("DROP", ("-A INPUT -j ufw-before-input",), ""),
        ("ACCEPT", ("-A INPUT -j DROP",), "the rule `iptables -A INPUT -j DROP` lets nothing through"),
        ("ACCEPT", ("-A INPUT -j REJECT --reject-with icmp-host-prohibited",), "lets nothing through"),
        ("ACCEPT", ("-A INPUT -i lo -j ACCEPT", "-A INPUT -j DROP"), ""),
        ("ACCEPT", ("-A INPUT -p tcp -m tcp --dport 22 -j DROP",), ""),
        ("ACCEPT", ("-A FORWARD -j DROP",), "the rule `iptables -A FORWARD -j DROP` lets nothing through"),
        ("ACCEPT", ("-A FORWARD -i vvc1 -j REJECT",), "the rule `iptables -A FORWARD -i vvc1 -j REJECT` lets"),
        ("ACCEPT", ("-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j DROP"), "`iptables -A DOCKER-USER -j DROP` lets"),
        ("ACCEPT", ("-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -j DROP"), ""),
        ("ACCEPT", ("-A FORWARD -i eth0 -j DROP",), ""),
        ("ACCEPT", ("-A FORWARD -j DOCKER-USER", "-A FORWARD -j DROP"), ""),
    ],
)
def test_whose_rule_stands_in_the_way(policy: str, rules: tuple[str, ...], told: str) -> None:
    """Only what surely does."""
    saved = OLD.replace(":INPUT ACCEPT", f":INPUT {policy}").replace("-A FORWARD -j DOCKER-USER", "\n".join(rules))
    found = obstacle(parse(saved))
    assert told in found
    assert (found == "") == (told == "")


@pytest.mark.parametrize(
    ("told", "way"),
    [
        ("the rule `iptables -A DOCKER-USER -j DROP` lets nothing through", "-I DOCKER-USER -o vvc+ -j ACCEPT"),
        ("the rule `iptables -A INPUT -j DROP` lets nothing through", "iptables -I INPUT -i vvc+ -j ACCEPT"),
        ("the policy of OUTPUT is DROP and no rule lets anything through", "iptables -I OUTPUT -o vvc+ -j ACCEPT"),
    ],
)
def test_the_way_past_it_is_in_its_own_chain(told: str, way: str) -> None:
    """What is forwarded needs both directions."""
    assert passage(told).endswith(way)


@pytest.mark.parametrize(
    ("words", "settings", "makes"),
    [
        (("dockerd",), "{}", True),
        (("dockerd", "--iptables=false"), "{}", False),
        (("dockerd",), '{"iptables": false}', False),
        (("dockerd",), "no json", True),
        (("dockerd",), "[]", True),
    ],
)
def test_an_engine_that_makes_no_rules_lacks_none(words: tuple[str, ...], settings: str, makes: bool) -> None:
    """A person told it so."""
    assert makes_rules(words, settings) == makes


def test_the_private_engine_is_restarted_and_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; what is gone again afterwards is told."""
    ours, other = (Engine("unix:///s", private, "28.0", "1.48", 2, "overlay2") for private in (True, False))
    restarts: list[str] = []
    monkeypatch.setattr(engine_rules, "_look_at", lambda _found: "" if restarts else "the chains are gone")
    monkeypatch.setattr(engine, "restart", lambda _progress: restarts.append("once"))
    with pytest.raises(LabError, match=r"The chains are gone: somebody flushed the packet filter") as refused:
        engine_rules.ensure(other, Quiet())
    assert "restart docker" in refused.value.hint or "docker restart" in refused.value.hint
    assert restarts == []
    engine_rules.ensure(ours, Quiet())
    engine_rules.ensure(ours, Quiet())
    assert restarts == ["once"]
    monkeypatch.setattr(engine_rules, "_look_at", lambda _found: "the chains are gone")
    with pytest.raises(LabError, match="also after the engine's restart"):
        engine_rules.ensure(ours, Quiet())


def test_doctor_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `up`; with no engine it says what makes rules."""
    monkeypatch.setattr(engine, "connect", lambda: None)
    assert firewall().name == "firewall"
