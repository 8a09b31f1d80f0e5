"""Experiment *forward*: an engine's policy for what is forwarded cuts a VM off beside it; which ways mend that."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from infra.outputs import Replica
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.sides import Runner
from labkit.system.errors import LabError
from labs.networking import filters, undoing
from labs.networking.arms import BRIDGED, NAT
from labs.networking.filters import Rule

COMMENT = "vvc-forward"
CUT_OFF_S = 1.5
"""So long the VM is asked, in vain, before it is called cut off."""

BACK_WITHIN_S = 5.0
TRY_S = 0.1
"""A try waits so long for an answer: how finely the time until the VM is back can be told."""

SETTING, SETTING_SINCE = "ip-forward-no-drop", "28.0"
"""The engine's own setting against the policy, and the version of Docker that brought it."""

RULE, POLICY, CALLS_OFF = "a rule in DOCKER-USER", "the policy ACCEPT", "bridge-nf-call off"
WAYS: Mapping[str, str] = {
    RULE: f"""
iptables -w 10 -I DOCKER-USER 1 -d {{address}} -m comment --comment {COMMENT} -j ACCEPT
iptables -w 10 -I DOCKER-USER 1 -s {{address}} -m comment --comment {COMMENT} -j ACCEPT
""",
    POLICY: "iptables -w 10 -P FORWARD ACCEPT",
    CALLS_OFF: f"echo 0 > {undoing.CALLS}",
}
"""Way -> script that mends it. The policy is what the engine's setting leaves alone when the engine starts."""

SKIP = f"""
set -e
for end in -s -d; do
    iptables -w 10 -I DOCKER-USER 1 $end "$1" -m comment --comment {COMMENT} -j RETURN
done
iptables -w 10 -S FORWARD | sed -n "s/^-A \\(.*--comment ports-of-$2 .*\\)/\\1/p" | while read -r rule; do
    iptables -w 10 -D $rule
done
iptables -w 10 -I FORWARD 1 -d "$1" -m comment --comment {COMMENT}
"""
"""Takes away what lets this VM through beside the engine: rules in DOCKER-USER are passed by, those that lead ports to
one behind NAT go until `undoing.restore`. And it counts what comes for the VM."""

_ENGINE = """
docker version --format 'version {{.Server.Version}}'
dockerd --help | grep -q -e "--$1" && echo "setting there" || echo "setting missing"
"""


def engine(told: str) -> dict[str, Any]:
    """From what _ENGINE prints: the engine's version and whether it has the setting. Pure."""
    words = dict(line.split(maxsplit=1) for line in told.splitlines() if " " in line)
    return {"version": words.get("version", ""), "setting": SETTING, "has_it": words.get("setting") == "there"}


def cut_by(before: Sequence[Rule], after: Sequence[Rule]) -> dict[str, Any]:
    """What stopped the packets that came for the VM, and how many came. Pure."""
    came = [rule.packets for rule in after if COMMENT in rule.text and not rule.text.endswith("RETURN")]
    return {
        "by": {rule.told: rule.packets for rule in filters.stopped(before, after) if rule.table == "filter"},
        "packets_for_it": sum(came),
    }


def answers(url: str, within_s: float) -> float | None:
    """Seconds until its kernel takes a connection; None where it does not within the bound."""
    target = urlsplit(url)
    begin = time.monotonic()
    while time.monotonic() - begin < within_s:
        try:
            with socket.create_connection((target.hostname, target.port), TRY_S):
                return time.monotonic() - begin
        except OSError:
            time.sleep(TRY_S / 10)
    return None


def address(place: Place, replica: Replica) -> str:
    """The guest's own address, as it stands in the packets that its server forwards."""
    told = place.inside(replica)(["ip", "-4", "-o", "address", "show", "scope", "global"]).output
    return told.split(" inet ")[1].split("/")[0].strip()


def measure(place: Place, turn: Turn) -> Seen:
    """Cut one VM off, as if nothing let it through beside the engine; see by what; mend it in one way; undo all."""
    replica = place.along(turn.arm)
    run, own = place.run(replica), address(place, replica)
    found = filters.policy(_read(run), "FORWARD").text
    try:
        run(["sh", "-c", SKIP, "sh", own, replica.handle])
        before = _read(run)
        if answers(replica.url, CUT_OFF_S) is not None:
            raise LabError(f"{replica.name} answers, although only {found} is left of FORWARD.", hint="./lab doctor")
        cut = cut_by(before, _read(run))
        script = WAYS[turn.action].format(address=own).strip()
        begin = time.monotonic()
        run(["sh", "-c", script])
        mended_s = time.monotonic() - begin
        waited_s = answers(replica.url, BACK_WITHIN_S)
    finally:
        undoing.restore(place)
    facts = {
        "path": replica.path,
        "way": turn.action,
        "policy_as_found": found,
        "cut_off": cut,
        "commands": script.splitlines(),
        "mended": waited_s is not None,
        "engine": engine(run(["sh", "-c", _ENGINE, "sh", SETTING]).output),
    }
    back = {} if waited_s is None else {"back_s": round(mended_s + waited_s, 3)}
    return Seen(
        {"cut_off_packets": float(cut["packets_for_it"]), **back},
        facts=facts,
        conditions={
            "client": "none",
            "cache": "warm",
            "start_line": "the command that mends it is given",
            "finish_line": "its kernel takes a connection",
        },
        replica=replica,
    )


def _read(run: Runner) -> list[Rule]:
    return filters.read(run(list(filters.SAVED)).output)


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Each way on each path of a VM."""
    arms = [arm for arm in (BRIDGED, NAT) if arm.side in sides]
    return take_turns(arms, 1 if quick else 3, actions=tuple(WAYS), warm_ups=0)


EXPERIMENT = Experiment(
    name="forward",
    question="An engine and a hypervisor on one server: which rule cuts a VM off, and what mends it?",
    prediction="Which of the three ways brings a bridged VM back, and which one a VM behind NAT?",
    turns=turns,
    measure=measure,
    restore=undoing.restore,
)
