"""Experiment *kernel*: a guest's kernel panics, and a kernel parameter is set; whom does that reach?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra import answers
from infra.outputs import Replica
from infra.sides import KINDS
from labkit.lifecycle import inside
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.prober.handle import probing
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import summarise
from labkit.system.errors import LabError
from labkit.system.waiting import until
from labs.isolation.sides import panic, parameters

PANIC, PARAMETERS = "panic", "parameters"
REPEATS, QUICK_REPEATS = 3, 1

PER_S = {"kvm": (20.0, 1.0), "tcg": (8.0, 2.0)}
"""Accelerator -> reads a second, over all that is asked, and the deadline of each."""
STEADY_WITHIN_S = 60.0
BACK_WITHIN_S = 240.0
ASK_S = 2.0

BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]
START_LINE = f"the order to panic, which comes {panic.AFTER_S:g} s before the panic"
FINISH_LINE = "the first correct answer of another boot"


def measure(place: Place, turn: Turn) -> Seen:
    """Once, on one side."""
    return (_panic if turn.action == PANIC else _parameters)(place, turn)


def _panic(place: Place, turn: Turn) -> Seen:
    """The kernel of one guest panics while all others are asked, its server and its neighbour among them."""
    replica = place.replica(turn.side)
    others = [one for one in place.contract.replicas if one.name != replica.name]
    before, server_before = _said(place.contract.replicas), place.run(replica)(BOOT_ID).output.strip()
    per_s, deadline_s = PER_S[place.contract.accelerator]
    stream = f"panic-{replica.name}-{turn.number}"
    settings = Settings(
        [one.url for one in others],
        place.folder,
        stream,
        reads_per_s=per_s,
        writes_per_s=0.0,
        deadline_s=deadline_s,
    )
    with probing(settings, STEADY_WITHIN_S) as prober:
        ordered_s = prober.now_s()
        panic.OF[turn.side](place, replica)
        back = until(lambda: _booted_anew(replica, before[replica.name]["boot_id"]), BACK_WITHIN_S)
        back_s = prober.now_s() - ordered_s
        if not back:
            raise LabError(
                f"{replica.name} did not answer from another boot within {BACK_WITHIN_S:.0f} s after the panic.",
                hint=f"./lab up {place.lab}",
            )
        result = prober.stop()
    samples = list(result.samples())
    facts = {
        "panicked": replica.name,
        "said": panic.LAST_WORDS[turn.side](place, replica),
        "server": {"before": server_before, "after": place.run(replica)(BOOT_ID).output.strip()},
        "replicas": told(before, _said(place.contract.replicas)),
    }
    return Seen(
        {"back_s": round(back_s, 2), **lost(samples, ordered_s)},
        facts=facts,
        conditions={
            "client": f"open loop, {per_s:g} reads a second of all others, deadline {deadline_s:g} s",
            "cache": "warm",
            "start_line": START_LINE,
            "finish_line": FINISH_LINE,
        },
        stream=stream,
        marks=summarise(samples).marks,
    )


def lost(samples: Iterable[Sample], ordered_s: float) -> dict[str, float]:
    """What the others lost from the order on: requests, and their longest time without a good answer. Pure."""
    found = summarise(one for one in samples if one.scheduled_s >= ordered_s)
    return {"others_requests": float(found.requests), "others_failed": float(found.failed),
            "others_longest_gap_s": round(found.longest_gap_s, 3)}  # fmt: skip


def _said(replicas: Iterable[Replica]) -> dict[str, dict[str, Any]]:
    return {one.name: answers.whoami(one.url, 5 * ASK_S) for one in replicas}


def told(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each replica the boot id before and after, and whether its process is the one from before. Pure."""
    return [
        {
            "replica": name,
            "side": then["side"],
            "boot_id_before": then["boot_id"],
            "boot_id_after": after[name]["boot_id"],
            "ran_on": (then["boot_id"], then["pid"], then["started_boottime_s"])
            == (after[name]["boot_id"], after[name]["pid"], after[name]["started_boottime_s"]),
        }
        for name, then in before.items()
    ]


def _booted_anew(replica: Replica, boot_id: str) -> bool:
    try:
        return bool(answers.whoami(replica.url, ASK_S)["boot_id"] != boot_id)
    except answers.UnansweredError:
        return False


def _parameters(place: Place, turn: Turn) -> Seen:
    """One of a network namespace and one of the whole kernel are set for a replica; everybody reads them."""
    replica = place.replica(turn.side)
    read = {
        "server": place.run(replica),
        **{one.name: place.inside(one) for one in place.contract.replicas},
    }
    found: dict[str, Any] = {}
    for what, path in (("own", parameters.OWN), ("shared", parameters.SHARED)):
        before = {who: parameters.read(run, path) for who, run in read.items()}
        try:
            parameters.SET_FOR[turn.side](place, replica, path)
            after = {who: parameters.read(run, path) for who, run in read.items()}
        finally:
            restore(place)
        found[what] = {
            "parameter": path.removeprefix("/proc/sys/").replace("/", "."),
            "before": before,
            "after": after,
            "seen_by": changed(before, after),
            "it_is_refused": parameters.refused(place.inside(replica), path),
        }
    sharing = [one.name for one in place.contract.replicas if KINDS[one.side].shares_kernel]
    boot_ids = {
        "inside": place.inside(replica)(BOOT_ID).output.strip(),
        "server": read["server"](BOOT_ID).output.strip(),
    }
    return Seen(
        {f"{what}_seen_by": float(len(one["seen_by"])) for what, one in found.items()},
        facts={"set_for": replica.name, "boot_id": boot_ids, "on_the_servers_kernel": sharing, **found},
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def changed(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Who reads another value than before. Pure."""
    return [who for who, value in after.items() if value != before[who]]


def restore(place: Place) -> None:
    """What was set is put back, in the servers and in the guests; a guest that panicked comes back by itself."""
    for server in place.contract.servers:
        place.runner(server)([inside.UNDO])
    for replica in place.contract.replicas:
        parameters.PUT_BACK_FOR[replica.side](place, replica)


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Panics on the sides whose replicas have a kernel of their own; parameters once a side."""
    own = [side for side in sides if side in panic.OF]
    return (
        *take_turns([side for side in sides if side in parameters.SET_FOR], 1, actions=(PARAMETERS,), warm_ups=0),
        *take_turns(own, QUICK_REPEATS if quick else REPEATS, actions=(PANIC,), warm_ups=0),
    )


EXPERIMENT = Experiment(
    name="kernel",
    question="A guest's kernel panics; a kernel parameter is set for a VM and for a container. Whom does that reach?",
    prediction="A guest's kernel dies: what else on its server stops answering? And what would it be of a container?",
    turns=turns,
    measure=measure,
    restore=restore,
)
