"""The packet filter rules that an engine needs: seen whether somebody took them away, and brought back where we may.

An engine makes its chains once, at its start. After `iptables -F`, a firewall's reload or `nft flush ruleset` it goes
on without, and refuses the next network. `problem` and `obstacle` are pure.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker

from infra import engine_place, plan
from labkit.setup.docker import engine
from labkit.setup.docker._network import Rules, parse
from labkit.system import root, shell
from labkit.system.errors import LabError
from labkit.system.processes import command_line
from labkit.system.progress import Progress

_COMMAND_S = 30
_LOOKS, _PAUSE_S = 3, 1.0
_DAEMON_JSON = Path("/etc/docker/daemon.json")
_SYSTEMD = Path("/run/systemd/system")
_READ = "iptables-nft-save 2>/dev/null; iptables-legacy-save 2>/dev/null; true"
_NFT_TABLE = "docker-bridges"
_FORWARDING = ("FORWARD", "DOCKER-USER")
_JUDGING = ("INPUT", "OUTPUT", *_FORWARDING)
_FLUSHED = "somebody flushed the packet filter (iptables -F, nft flush ruleset, a firewall's reload)"


def problem(rules: Rules, bridges: Collection[str]) -> str:
    """Pure: what is gone of the rules that an engine makes for itself and for its bridges; "" if all is there."""
    gone = [table for table in ("filter", "nat") if (table, "DOCKER") not in rules.chains]
    if gone:
        return f"the engine's chains are gone from the table {' and '.join(gone)}"
    for table, chain in (("filter", "FORWARD"), ("nat", "PREROUTING")):
        # DOCKER-USER is a person's: the engine leads to it again with each new network, and to its own chains not.
        form = re.compile(rf"-A {chain} .*-j DOCKER(?!-USER)[A-Z0-9-]*")
        if not any(where == table and form.fullmatch(rule) for where, rule in rules.rules):
            return f"{chain} no longer leads to the engine's chains"
    named = {word for table, rule in rules.rules if table == "filter" for word in rule.split()}
    lacking = sorted(bridge for bridge in bridges if bridge not in named)
    return f"there is no rule for the bridge {', '.join(lacking)}" if lacking else ""


def obstacle(rules: Rules) -> str:
    """Pure: whose rule keeps the laptop from its labs' servers, or a server from all else; "" if none surely does."""
    filters = [rule for table, rule in rules.rules if table == "filter"]
    for chain in _JUDGING:
        own = [rule for rule in filters if rule.startswith(f"-A {chain} ")]
        lets = [number for number, rule in enumerate(own) if not re.search(r" -j (DROP|REJECT|LOG|NFLOG)\b", rule)]
        for number, rule in enumerate(own):
            if re.fullmatch(rf"-A {chain}( -[io] vvc\S*)? -j (DROP|REJECT)( --reject-with \S+)?", rule) and not any(
                before < number for before in lets
            ):
                return f"the rule `iptables {rule}` lets nothing through"
        if rules.policies.get(("filter", chain)) == "DROP" and not lets:
            return f"the policy of {chain} is DROP and no rule lets anything through"
    return ""


def passage(told: str) -> str:
    """Pure: the next step where there is this obstacle: a rule before it, in its chain."""
    chain = next(one for one in _JUDGING if f"-A {one} " in told or f"policy of {one} " in told)
    way = "-o" if chain == "OUTPUT" else "-i"
    back = f" and iptables -I {chain} -o vvc+ -j ACCEPT" * (chain in _FORWARDING)
    return f"let the labs' bridges through before it: iptables -I {chain} {way} vvc+ -j ACCEPT{back}"


def makes_rules(words: Collection[str], daemon_json: str) -> bool:
    """Pure: whether an engine makes rules at all, from its command line and its file of settings."""
    with suppress(ValueError, AttributeError):
        if json.loads(daemon_json).get("iptables") is False:
            return False
    return "--iptables=false" not in words


def look(client: docker.DockerClient, info: Mapping[str, Any], *, private: bool) -> tuple[str, str]:
    """What is gone of the engine's rules, and what stands in the way; each "" where nothing is, or nobody knows."""
    if not private and not _makes_rules():
        return "", ""
    if str((info.get("FirewallBackend") or {}).get("Driver", "")).startswith("nftables"):
        tables = _nft_tables()
        gone = tables is not None and _NFT_TABLE not in tables
        return (f"the engine's table {_NFT_TABLE} is gone" if gone else ""), ""
    saved = _saved(client)
    if saved is None:
        return "", ""
    rules = parse(saved)
    return problem(rules, engine_place.bridges(client)), obstacle(rules)


def look_again(client: docker.DockerClient, info: Mapping[str, Any], *, private: bool) -> tuple[str, str]:
    """The same, and what is gone is gone for a while: another lab's network may just be coming or going."""
    for _ in range(_LOOKS):
        gone, obstacle_ = look(client, info, private=private)
        if not gone:
            return "", obstacle_
        time.sleep(_PAUSE_S)
    return gone, obstacle_


def ensure(found: engine.Engine, progress: Progress) -> None:
    """Rules that are gone come back with a restart: ours is restarted, for another the command is named."""
    told = _look_at(found)
    if not told:
        return
    if not found.private:
        raise LabError(f"{_sentence(told)}: {_FLUSHED}.", hint=f"{restart_command()}; then the same command again")
    progress.line(f"{_sentence(told)}: {_FLUSHED}.")
    engine.restart(progress)
    again = _look_at(found)
    if again:
        raise LabError(
            f"{_sentence(again)}, also after the engine's restart.", hint="end what flushes the packet filter"
        )


def hint(*, private: bool) -> str:
    """The next step where rules are gone."""
    return "./lab up restarts the private engine, which brings them back" if private else restart_command()


def restart_command() -> str:
    """How a person restarts the machine's own engine."""
    return "sudo systemctl restart docker" if _SYSTEMD.is_dir() else "sudo service docker restart"


def _sentence(told: str) -> str:
    return told[0].upper() + told[1:]


def _look_at(found: engine.Engine) -> str:
    try:
        with found.client() as client:
            return look_again(client, client.info(), private=found.private)[0]
    except LabError:
        return ""


def _makes_rules() -> bool:
    try:
        settings = _DAEMON_JSON.read_text(encoding="utf-8")
    except OSError:
        settings = "{}"
    everything = (command_line(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    engines = [words for words in everything if words and Path(words[0]).name == "dockerd"]
    return makes_rules([word for words in engines for word in words], settings)


def _nft_tables() -> list[str] | None:
    program = root.which("nft")
    if program is None or os.geteuid() != 0:
        return None
    asked = shell.run([program, "-j", "list", "tables"], timeout_s=_COMMAND_S, check=False, stdout_only=True)
    with suppress(ValueError, LookupError, TypeError):
        return [str(one["table"]["name"]) for one in json.loads(asked.output)["nftables"] if "table" in one]
    return None


def _saved(client: docker.DockerClient) -> str | None:
    """What iptables-save prints: of this machine for root, else by a container of the server image, if there is one."""
    program = root.which("iptables-save")
    if os.geteuid() == 0:
        if program is None:
            return None
        asked = shell.run([program], timeout_s=_COMMAND_S, check=False, stdout_only=True)
        return asked.output if asked.ok else None
    images = client.images.list(filters={"reference": f"{plan.PROJECT}/server"})
    if not images:
        return None
    said = client.containers.run(
        images[0],
        ["-c", _READ],
        entrypoint="sh",
        network_mode="host",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN", "NET_RAW"],
        remove=True,
    )
    return said.decode(errors="replace")
