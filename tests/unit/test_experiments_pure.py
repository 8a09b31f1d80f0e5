"""What the experiments of the deployment lab decide without touching anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.judge import rows
from labkit.lifecycle import change, strays
from labkit.lifecycle.inside import There
from labkit.lifecycle.missing import Known
from labkit.measure import growth
from labkit.measure.prober.sample import Sample
from labkit.runs.records import Repeat, Results
from labkit.system.carry import Carried
from labkit.system.paths import CHECKOUT
from labs.deployment import kernels, operating_system, portability, resources, update
from labs.deployment.fakes import CONTAINER, Fake
from labs.deployment.sides import container_again, updating
from labs.deployment.sides.moving import Move
from tests.unit import judging

CLAIMS = (*resources.CLAIMS, *operating_system.CLAIMS, *portability.CLAIMS, *update.CLAIMS)
SIDES = ("vm", "container")


def test_settings_are_texts_beside_the_committed_ones() -> None:
    """The rest of the file stays, and the file itself is not changed."""
    file = {"config": {"vm-vs-container:topology": "single"}, "encryptionsalt": "x"}
    assert change.changed(file, {"replicas": 2}) == {
        "config": {"vm-vs-container:topology": "single", "vm-vs-container:replicas": "2"},
        "encryptionsalt": "x",
    }
    assert change.changed({}, {"replicas": 2}) == {"config": {"vm-vs-container:replicas": "2"}}
    assert file["config"] == {"vm-vs-container:topology": "single"}


def test_a_lab_with_other_settings_has_a_copy_of_its_stack_file() -> None:
    """It is gone at the end; the committed one stays as it is."""
    committed = CHECKOUT / "Pulumi.deployment.yaml"
    before = committed.read_text(encoding="utf-8")
    with change.config_file("deployment", {"sides": "vm"}) as copy:
        found = yaml.safe_load(copy.read_text(encoding="utf-8"))
    assert not copy.exists()
    assert found == change.changed(yaml.safe_load(before), {"sides": "vm"})
    assert committed.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("there", "wanted", "fresh", "steps"),
    [(1, 2, False, (2,)), (2, 2, True, ()), (2, 3, False, (3,)), (3, 2, False, (1, 2)), (2, 2, False, (1, 2))],
)
def test_a_measured_replica_is_always_newly_made(there: int, wanted: int, fresh: bool, steps: Sequence[int]) -> None:
    """Unless the other side's turn has just made it."""
    assert growth.steps(there, wanted, fresh) == steps


def test_a_whole_run_has_the_six_replicas_a_side_that_a_verdict_needs() -> None:
    """Each number once a side, sides taking turns."""
    turns = resources.turns(SIDES, False)
    assert [turn.side for turn in turns] == ["vm", "container"] * 6
    assert [turn.number for turn in turns if turn.side == "vm"] == [1, 2, 3, 4, 5, 6]
    assert [turn.action for turn in turns if turn.side == "vm"] == ["replica 2", "replica 3"] * 3
    assert len(resources.turns(SIDES, True)) == 2


def update_ways() -> list[tuple[str, str]]:
    """Every side with each of its ways."""
    return [(side, way) for side, ways in updating.WAYS.items() for way in ways]


def test_updates_take_turns_over_sides_and_ways() -> None:
    """Four ways, all of them in each round."""
    turns = update.turns(SIDES, True)
    assert [(turn.side, turn.action) for turn in turns] == [
        ("vm", "in place"),
        ("container", "replaced"),
        ("vm", "replaced"),
        ("container", "start-first"),
    ]
    whole = update.turns(SIDES, False)
    assert {
        (side, way): sum((turn.side, turn.action) == (side, way) for turn in whole) for side, way in update_ways()
    } == {
        ("vm", "in place"): 2,
        ("vm", "replaced"): 6,
        ("container", "replaced"): 6,
        ("container", "start-first"): 2,
    }


@pytest.mark.parametrize(("old", "new"), [("1", "2"), ("9", "10"), ("2.1", "2.1-next"), ("blue", "blue-next")])
def test_the_following_version(old: str, new: str) -> None:
    """A number is counted on."""
    assert update.following(old) == new


def sample(at_s: float, outcome: str, kind: str = "read") -> Sample:
    """A request that was sent on time and took 10 ms."""
    fields: dict[str, Any] = dict.fromkeys(Sample._fields)
    known = {"kind": kind, "scheduled_s": at_s, "sent_s": at_s, "done_s": at_s + 0.01, "outcome": outcome}
    return Sample(**{**fields, "detail": "", "replica": "", "server": "", **known})


def test_what_is_lost_in_a_phase() -> None:
    """Reads and writes that failed; the longest time without any good answer."""
    samples = [sample(0, "ok"), sample(1, "refused"), sample(1.5, "reset", "write"), sample(2, "ok"), sample(2.2, "ok")]
    assert update.lost("update", samples) == {
        "update_lost_requests": 2,
        "update_lost_writes_unacknowledged": 1,
        "update_gap_s": 2.0,
    }


def test_what_a_machine_says_of_itself() -> None:
    """Counts are numbers, the rest is text, empty lines are nothing."""
    told = "kernel_release 6.12\nboot_id a-b\nfirst_process systemd\nprocesses 62\nkernel_threads 53\nmounts 11\n\n"
    assert operating_system.looked(told) == {
        "kernel_release": "6.12",
        "boot_id": "a-b",
        "first_process": "systemd",
        "processes": 62,
        "kernel_threads": 53,
        "mounts": 11,
    }


@pytest.mark.parametrize(
    ("console", "kernel"),
    [
        ("[    0.1] boot\r\nvvc-kernel 6.12.1 a-b\r\n", {"release": "6.12.1", "boot_id": "a-b"}),
        ("Kernel panic", None),
        ("vvc-kernel", None),
        ("", None),
    ],
)
def test_which_kernel_ran_the_probe(console: str, kernel: dict[str, str] | None) -> None:
    """Nothing is guessed where it said nothing."""
    assert operating_system.another(console) == kernel


def test_a_kernel_that_runs_already_is_no_other(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last other one in the cache is taken; half a file is none."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path))
    assert kernels.kept(["6.3"]) is None
    for release in ("6.1", "6.2", "6.3"):
        (tmp_path / "kernels" / release).mkdir(parents=True)
        (tmp_path / "kernels" / release / ".vmlinuz.1").write_text("half", encoding="utf-8")
        if release != "6.2":
            (tmp_path / "kernels" / release / "vmlinuz").write_text("whole", encoding="utf-8")
    assert kernels.kept(["6.3"]) == ("6.1", tmp_path / "kernels" / "6.1" / "vmlinuz")


def test_the_same_container_again() -> None:
    """Limits, volume, variables and host name stay; name, image and port are those that are asked for."""
    words = container_again.words(CONTAINER, name="next", image="other", port=8033)
    assert words[:5] == ["docker", "run", "--detach", "--name", "next"]
    assert words[-1] == "other"
    text = " ".join(words)
    for part in (
        "--hostname container-1",
        "--env VVC_REPLICA=container-1",
        "--publish 8033:8000",
        "--volume container-1-data:/data",
        "--cpus 1",
        "--restart unless-stopped",
    ):
        assert part in text
    assert "--publish 8001:8000" in " ".join(container_again.words(CONTAINER, name="next", image="other"))


def test_strays_are_ours_and_unknown_to_pulumi() -> None:
    """Users go before what they use; what somebody made by hand stays."""
    inside = {
        ("disk", "vm-2.qcow2"),
        ("disk", "base-abc"),
        ("domain", "vm-2"),
        ("domain", "mine"),
        ("container", "container-1"),
        ("container", "container-1-next"),
        ("volume", "container-2-data"),
        ("network", "vvc-x"),
    }
    assert strays.strays(inside, {("container", "container-1")}) == [
        ("domain", "vm-2"),
        ("disk", "vm-2.qcow2"),
        ("container", "container-1-next"),
        ("volume", "container-2-data"),
    ]


def test_what_is_moved_to_another_server_is_a_stray_there() -> None:
    """Its name is noted of the server that it came from. A disk may lie in a pool that both have: it stays."""
    things = [("domain", "vm-1"), ("container", "container-1"), ("volume", "container-1-data"), ("disk", "vm-1.qcow2")]
    state = [Known(There(*thing, "x"), "urn", server="server-1") for thing in things]
    outer = Known(There("container", "vvc-server-1", "x"), "urn")
    assert strays.strays(things, strays.noted([*state, outer], "server-1")) == []
    assert strays.strays(things, strays.noted([*state, outer], "server-2")) == things[:3]


def test_the_second_server_comes_with_the_first_turn_that_wants_it(
    tmp_path: Path,
) -> None:
    """By one `pulumi up`; the next turn finds it there, and a lab that is to have two has it already."""
    fake = Fake("deployment", tmp_path)
    with fake.standing_in() as place:
        assert [portability.second_server(place).name for _ in range(2)] == ["server-2", "server-2"]
        assert fake.steps.count("up") == 1
        portability.restore(place)
    assert [server.name for server in fake.contract.servers] == ["server-1"]


@pytest.mark.parametrize(("second", "identity", "same"), [("a", "id", True), ("b", "id", False), ("a", "other", False)])
def test_a_move_is_proved_by_digest_and_identity(second: str, identity: str, same: bool) -> None:
    """Bytes are those that were carried; both digests are kept as evidence."""
    move = Move((), [], [], "id", "docker run")
    carried = {"disk": Carried(100, 1.0, "x"), "data": Carried(20, 0.1, "y")}
    seen = portability.seen(move, carried, (1.2, 0.3), ({"disk": ("a", second)}, identity))
    assert seen.values == {"moved_bytes": 120, "carry_s": 1.2, "start_there_s": 0.3, "moved_s": 1.5}
    assert sum(stage.s for stage in seen.stages) == pytest.approx(seen.values["moved_s"])
    assert seen.facts["same"] is same


def inside(kernel: str, boot: str, processes: int, threads: int) -> dict[str, Any]:
    """What a machine says of itself."""
    return {
        "kernel_release": kernel,
        "boot_id": boot,
        "first_process": "init",
        "processes": processes,
        "kernel_threads": threads,
        "mounts": 3,
    }


SERVER = inside("6.18", "host", 20, 0)
SYSTEM: dict[str, dict[str, Any]] = {
    "vm": {
        "inside": inside("6.12", "guest", 62, 53),
        "server": SERVER,
        "server_sees_its_processes": False,
        "it_sees_the_servers_processes": False,
        "another_kernel": {"carried": "6.11", "ran": {"release": "6.11", "boot_id": "x"}},
    },
    "container": {
        "inside": inside("6.18", "host", 2, 0),
        "server": SERVER,
        "server_sees_its_processes": True,
        "it_sees_the_servers_processes": False,
        "another_kernel": {"carried": "6.11", "ran": {"release": "6.18", "boot_id": "host"}},
    },
}


def verdicts(facts: dict[str, dict[str, Any]], experiment: str = "operating-system") -> dict[str, str]:
    """Claim -> verdict of a run with these facts of both sides."""
    repeats = tuple(Repeat(experiment, side, 1, 0.0, {}, facts=own) for side, own in facts.items())
    run = dataclasses.replace(judging.run(), experiments=(Results(experiment, "?", "complete", 1.0, repeats),))
    table = rows.judge(run, CLAIMS)
    return {part.claim.name: part.verdict for row in table for part in row.parts}


CASES: dict[str, tuple[str, str, Any]] = {
    "vm-runs-its-own-kernel": ("vm", "inside", inside("6.18", "host", 62, 53)),
    "container-runs-its-servers-kernel": ("container", "inside", inside("6.12", "guest", 2, 0)),
    "vm-runs-a-whole-system": ("vm", "inside", inside("6.12", "guest", 2, 0)),
    "vm-runs-another-kernel": ("vm", "another_kernel", {"carried": "6.11", "ran": {"release": "6.12", "boot_id": "x"}}),
    "server-sees-containers-processes": ("vm", "server_sees_its_processes", True),
}


@pytest.mark.parametrize("claim", CASES)
def test_a_claim_on_the_operating_system_follows_from_its_facts(claim: str) -> None:
    """It holds with them, and does not with one of them changed."""
    side, fact, value = CASES[claim]
    assert verdicts(SYSTEM)[claim] == "holds"
    assert verdicts({**SYSTEM, side: {**SYSTEM[side], fact: value}})[claim] == "does not hold"
    assert verdicts({"vm": SYSTEM["vm"]})[claim] == "not measured"


def test_without_another_kernel_at_hand_nothing_is_said_of_it() -> None:
    """The other claims of the row stand."""
    without = {side: {**own, "another_kernel": {"problem": "no network"}} for side, own in SYSTEM.items()}
    assert verdicts(without) == {**verdicts(SYSTEM), "vm-runs-another-kernel": "not measured"}


def test_facts_that_are_missing_decide_nothing() -> None:
    """As in a run of another version."""
    assert set(verdicts({"vm": {}, "container": {}}).values()) == {"not measured"}


@pytest.mark.parametrize(
    ("fault", "verdict"), [({}, "holds"), ({"lost": [3]}, "does not hold"), ({"doubled": [3]}, "does not hold")]
)
def test_one_lost_acknowledgement_refutes(fault: dict[str, Any], verdict: str) -> None:
    """In any repeat of any way."""
    ledger = {"acknowledged": 9, "lost": [], "doubled": [], "changed": []}
    facts = {"vm": {"ledger": ledger}, "container": {"ledger": {**ledger, **fault}}}
    assert verdicts(facts, "update")["updates-lose-nothing-acknowledged"] == verdict


def test_evidence_of_many_repeats_is_told_in_few_words() -> None:
    """Writes are summed over the repeats of a way; a digest stands once where both servers have it."""
    ledger = {"acknowledged": 9, "lost": [], "doubled": [], "changed": []}
    told = update._told([ledger, {**ledger, "lost": [1, 2]}])
    assert told == "18 writes acknowledged, 2 lost, 0 doubled, 0 changed, n = 2"
    digest = "sha256:" + "ab" * 32
    assert portability._both({"first": digest, "second": digest}) == "abababababab on both"
    assert portability._both({"first": digest, "second": ""}) == "abababababab on the first, nothing on the second"


def test_the_claims_are_well_formed() -> None:
    """Rows of the table, effects above 1, bounds that fit their units, a mechanism each."""
    assert rows.flaws(CLAIMS) == []
    assert all(claim.because for claim in CLAIMS)
