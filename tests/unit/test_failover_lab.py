"""The failover lab's turns, numbers and claims, without an engine."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from infra.domain import Domain, domain_xml
from infra.outputs import Replica
from labkit.lifecycle import steady
from labkit.measure._left import estimate
from labkit.measure.experiment import Turn
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.summary import Outage
from labkit.runs.records import Repeat, Results
from labkit.system.errors import LabError
from labs.failover import breaking, claims, fakes, faults, split_brain, timers
from labs.failover.breaking import EXPERIMENTS, FULL_REPEATS, INSTANT_S, Broken, instant_s
from labs.failover.clusters import OF
from labs.failover.lab import LAB
from labs.failover.outage import DETECT, READY, ROUTE, Moment
from labs.failover.sides import cluster
from labs.failover.sides.cluster import DEFAULT, MATCHED
from labs.failover.sides.vm import real_ms, second
from tests.unit.lab_fakes import empty_run

SIDES = tuple(OF)
SERVER_KILLED = LAB.chosen(("server-killed",))[0]


def test_the_normal_depth_is_service_and_server_killed_with_default_timers() -> None:
    """Three times on each side, in turns."""
    chosen = [one for one in LAB.chosen(()) if one in EXPERIMENTS]
    assert [one.name for one in chosen] == ["service-killed", "server-killed"]
    every = SERVER_KILLED.turns(SIDES, False)
    assert [(turn.side, turn.number) for turn in every] == [(side, n) for n in (1, 2, 3) for side in SIDES]
    assert {turn.factors["timers"] for turn in every} == {DEFAULT}
    assert len(SERVER_KILLED.turns(SIDES, True)) == len(SIDES)


def test_a_full_run_is_every_fault_under_both_profiles() -> None:
    """At least ten times, and one learns first how long that takes."""
    chosen = [one for one in LAB.chosen((), full=True) if one in EXPERIMENTS]
    assert [one.name for one in chosen] == [one.name for one in EXPERIMENTS]
    assert {one.name for one in chosen} == {fault.name for fault in faults.FAULTS}
    for one in chosen:
        assert one.full
        every = one.full(SIDES)
        for side in SIDES:
            for profile in (DEFAULT, MATCHED):
                mine = [turn for turn in every if (turn.side, turn.factors["timers"]) == (side, profile)]
                assert [turn.number for turn in mine] == list(range(1, FULL_REPEATS + 1))
    turns = len(EXPERIMENTS) * len(SIDES) * 2 * FULL_REPEATS
    assert estimate(EXPERIMENTS, SIDES).startswith(f"{turns} turns, about ")


def test_what_its_edge_loses_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's two late checks cost no repeat; one that stays away is told of by its last answer."""
    replica = Replica("vm-1", "vm", "server-1", "http://vm:8000", "vm-1", "")
    told = [LabError("503"), LabError("503"), {"boot_id": "b"}]
    clock = iter(range(1000))

    def ask(_replica: Replica) -> Any:
        one = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(one, LabError):
            raise one
        return one

    monkeypatch.setattr(steady, "whoami", ask)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("time.sleep", lambda _s: None)
    assert cluster.whoami(replica) == {"boot_id": "b"}
    told[:] = [LabError("nobody answers")]
    with pytest.raises(LabError, match="nobody answers"):
        cluster.whoami(replica)
    assert next(clock) < 200


def test_each_turn_has_an_instant_of_its_own_the_same_in_every_run() -> None:
    """Within the longest period of a timer, all over it."""
    assert SERVER_KILLED.full
    killed, cut = faults.SERVER_KILLED, faults.SERVER_CUT
    every = [instant_s(killed, turn) for turn in SERVER_KILLED.full(SIDES)]
    assert every == [instant_s(killed, turn) for turn in SERVER_KILLED.full(SIDES)]
    assert not {*every} & {instant_s(cut, turn) for turn in SERVER_KILLED.full(SIDES)}
    assert len({*every}) == len(every)
    assert min(every) < INSTANT_S / 4 < 3 * INSTANT_S / 4 < max(every) < INSTANT_S


def asked(at_s: float, outcome: str = "ok") -> Sample:
    return Sample("s", "read", 0, at_s, at_s, at_s, at_s + 0.01, outcome)


def test_an_outage_begins_when_one_asks_in_vain() -> None:
    """A side that is drained serves on for a while; what failed before is another matter."""
    samples = [asked(8, "refused"), *(asked(at) for at in (9, 10.5, 11)), asked(12, "deadline"), asked(13)]
    assert breaking.failing_from(samples, 10.0, 10.2) == 12
    assert breaking.failing_from(samples[:4], 10.0, 10.2) == 10.2


def test_without_a_majority_the_second_half_is_looked_at() -> None:
    """In the first one the survivor has not noticed it yet."""
    broken = Broken(None, 10.0, 30.0, {}, {}, [], [])  # type: ignore[arg-type]
    samples = [asked(at, "ok" if at < 25 else "refused") for at in range(10, 31)]
    assert breaking.answered_percent(samples, broken) == 50.0


def test_an_outage_is_a_number_and_its_parts() -> None:
    """Its last part has the prober's own resolution."""
    seen = Outage(12.5, 10.0, 22.5, 40)
    values, stages = breaking.account(seen, [Moment(DETECT, 13.5, "x", 0.001)], (DETECT, READY, ROUTE), 0.05)
    assert values == {"outage_s": 12.5, "failed_requests": 40.0}
    assert sum(stage.s for stage in stages) == pytest.approx(12.5)
    assert stages[-1].resolution_s == 0.05
    with pytest.raises(LabError, match="no good answer"):
        breaking.account(Outage(None, 10.0, None, 40, "no good answer"), [], (ROUTE,), 0.05)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("fault", [fault for fault in faults.FAULTS if fault.overcome], ids=lambda fault: fault.name)
def test_every_outage_has_its_parts_the_last_one_at_the_client(side: str, fault: Any) -> None:
    """In the order of all parts."""
    assert breaking.parts_of(fault, side)[-2:] == (READY, ROUTE)


@pytest.mark.parametrize("side", SIDES)
def test_both_profiles_set_the_same_timers(side: str) -> None:
    """And a report says what they are, with the edge's own."""
    default, matched = (OF[side].TIMERS[profile] for profile in (DEFAULT, MATCHED))
    assert default.keys() == matched.keys()
    assert all(default[name] != matched[name] for name in default)
    told = timers.conditions(side, MATCHED)
    assert told["timers"].startswith("matched timers: ")
    assert "inter 200ms" in told["edge_timers"]
    assert "timeout check 2s" in told["edge_timers"]


@pytest.mark.parametrize("side", SIDES)
def test_no_profile_takes_a_busy_server_for_a_dead_one(side: str) -> None:
    """A timer that the cluster should not have is named before anything is touched."""
    for profile in (DEFAULT, MATCHED):
        assert timers.refused(OF[side].TIMERS[profile]) == []
    assert timers.refused({"token_ms": "999"}) == [
        "token_ms is 999: at least 1000 is needed, else a busy server is taken for a dead one."
    ]
    assert timers.refused({"heartbeat": "0s", "restart_delay": "0s"})[0].startswith("heartbeat is 0s: at least 1 ")


@pytest.mark.parametrize(("token_ms", "found"), [(1000, (1650, 1980)), (3000, (3650, 4380))])
def test_corosync_waits_longer_than_its_token(token_ms: int, found: tuple[int, int]) -> None:
    """650 ms more for each member above two, and then a consensus."""
    assert real_ms(token_ms, 3) == found


LEDGER: dict[str, Any] = {"acknowledged": 20, "lost": [], "doubled": [], "changed": []}
VM: dict[str, Any] = {
    "before": {"server": "server-1", "boot": "a", "id": "u"},
    "after": {"server": "server-2", "boot": "b", "id": "u"},
    "ledger": LEDGER,
}
CONTAINER: dict[str, Any] = {
    "before": {"server": "server-4", "boot": "h", "id": "x"},
    "after": {"server": "server-5", "boot": "h", "id": "y"},
    "ledger": LEDGER,
}


def test_a_vm_that_was_booted_elsewhere_has_restarted() -> None:
    """As the same one, with its disk."""
    assert claims.restarted(VM)[0]
    for change in (
        {"after": {**VM["after"], "server": "server-1"}},
        {"after": {**VM["after"], "boot": "a"}},
        {"after": {**VM["after"], "id": "another"}},
        {"ledger": {**LEDGER, "lost": [7]}},
    ):
        assert not claims.restarted({**VM, **change})[0], change


def test_a_container_made_anew_is_another_one_elsewhere() -> None:
    """Not the same one, and not where it was."""
    assert claims.made_anew(CONTAINER)[0]
    assert not claims.made_anew({**CONTAINER, "after": {**CONTAINER["after"], "id": "x"}})[0]
    assert not claims.made_anew({**CONTAINER, "after": {**CONTAINER["after"], "server": "server-4"}})[0]


def run_of(outages: dict[str, float], **ledger: Any) -> Any:
    repeats = tuple(
        Repeat(
            "server-killed", side, 1, 0.0, {"outage_s": outage_s},
            facts={**(VM if side == "vm" else CONTAINER), "ledger": {**LEDGER, **ledger}},
            factors=SERVER_KILLED.turns((side,), True)[0].factors,
        )
        for side, outage_s in outages.items()
    )  # fmt: skip
    done = Results("server-killed", "?", "complete", 1.0, repeats)
    return dataclasses.replace(empty_run(), lab="failover", experiments=(done,))


@pytest.mark.parametrize(("outage_s", "true"), [(4.9, True), (18.5, False)])
def test_quickly_is_a_number(outage_s: float, true: bool) -> None:
    """The longest outage counts."""
    seen = claims.quickly(run_of({"vm": 16.0, "container": outage_s}))
    assert seen
    assert seen.true == true
    assert seen.evidence["longest outage_s"] == outage_s


@pytest.mark.parametrize("fault", ["lost", "doubled", "changed"])
def test_one_acknowledged_write_that_is_not_there_is_enough(fault: str) -> None:
    """On whichever side; and both must have been looked at."""
    both = {"vm": 16.0, "container": 18.0}
    sound = claims.nothing_lost(run_of(both))
    assert sound
    assert sound.true
    assert sound.evidence["VM"] == "20 writes acknowledged, 0 lost, 0 doubled, 0 changed, n = 1"
    broken = claims.nothing_lost(run_of(both, **{fault: [3]}))
    assert broken
    assert not broken.true
    assert claims.nothing_lost(run_of({"vm": 16.0})) is None


def test_a_row_has_a_claim_of_each_fault_and_profile() -> None:
    """All of them about the article's row."""
    names = {claim.name for claim in claims.CLAIMS}
    for fault in faults.FAULTS:
        for profile in (DEFAULT, MATCHED):
            assert (f"{fault.name}-longer-{profile.split()[0]}" in names) == fault.overcome
    assert {claim.row for claim in claims.CLAIMS} == {"Fault tolerance"}


def test_a_turn_names_its_timers() -> None:
    """As one types it."""
    turn = SERVER_KILLED.turns(SIDES, True)[0]
    assert turn == Turn("vm", 1, factors={"timers": "default timers"})
    assert str(turn.arm) == "vm default timers"


def test_split_brain_is_an_exercise() -> None:
    """Made only where somebody names it, marked in each repeat, and no claim looks at it."""
    assert split_brain.EXPERIMENT.exercise
    for full in (False, True):
        assert split_brain.EXPERIMENT not in LAB.chosen((), full=full)
    assert LAB.chosen(("split-brain",)) == (split_brain.EXPERIMENT,)
    assert [str(turn.arm) for turn in split_brain.EXPERIMENT.turns(SIDES, True)] == list(SIDES)
    rests_on = [one.experiment for one in LAB.claims]
    assert split_brain.EXPERIMENT.name not in rests_on


def test_both_copies_of_a_split_brain_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has what the other one has not; where one is given up, what it had acknowledged is lost."""
    by_urls = {1: SimpleNamespace(acknowledged=40, lost=[1, 3, 5]), 2: SimpleNamespace(acknowledged=40, lost=[])}
    asked: list[list[str]] = []

    def audit(urls: list[str]) -> SimpleNamespace:
        asked.append(urls)
        return by_urls[len(urls)]

    prober = SimpleNamespace(stop=lambda: SimpleNamespace(audit=audit))
    with fakes.Fake("failover", tmp_path).standing_in() as place:
        monkeypatch.setattr(split_brain, "probing", lambda *_words: nullcontext(prober))
        seen = split_brain.measure(place, Turn("vm", 1))
    assert asked == [["http://vm:8000", "http://10.0.0.17:8000"], ["http://vm:8000"], ["http://10.0.0.17:8000"]]
    assert seen.values["writes_only_in_the_second"] == 3
    assert seen.marks == (split_brain.MARK,)
    assert (seen.facts["first"], seen.facts["second"]) == ("vm-server-1", "vm-server-2")


def test_a_vms_second_copy_is_the_same_but_for_what_must_differ() -> None:
    """Its name, its address, its MAC, its disk; libvirt chooses its uuid."""
    first = Domain(
        "vm-1", "tcg", 1, 512, "/k", "/i", "root=/dev/vda vvc.address=10.1.2.16/24 vvc.gateway=10.1.2.1", uuid="u",
        disk="/srv/shared/lab/vm-1.qcow2", bridge="br0", mac="52:76:63:aa:01:0f",
    )  # fmt: skip
    disk, address, xml = second(domain_xml(first), "10.1.2.16")
    assert (disk, address) == ("/srv/shared/lab/vm-1.qcow2", "10.1.2.17")
    other = dataclasses.replace(
        first, name="vm-1-split", cmdline=first.cmdline.replace("2.16", "2.17"), uuid="",
        disk="/srv/shared/split/vm-1.qcow2", mac="52:76:63:aa:01:10",
    )  # fmt: skip
    made, wanted = (ElementTree.canonicalize(one, strip_text=True) for one in (xml, domain_xml(other)))
    assert made == wanted


def test_up_ends_a_split_brain_that_was_cut_off(tmp_path: Path) -> None:
    """As after a KILL: what an experiment had noted is set back."""
    fake = fakes.Fake("failover", tmp_path)
    fake.touched = {f"{fakes.SECOND}{side}" for side in SIDES}
    with fake.standing_in() as place:
        LAB.bring_back(place)
    assert fake.touched == set()
