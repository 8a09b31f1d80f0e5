"""The fairness guard: a well-formed run with one fact changed is refused, and the reason names that fact."""

from __future__ import annotations

import pytest

from infra.sides import KINDS
from labkit.judge import _fairness
from labkit.judge._verdict import judge
from labkit.judge.model import Judgement, Measured
from labkit.runs.records import Arm, Repeat, Run
from tests.unit import judging
from tests.unit.judging import GUEST, LARGER, SERVER, STARTS, changed, having, without

BASE = judging.run()


def _container_inside_the_vm(repeat: Repeat) -> Repeat:
    return having("container", boot_id=f"{GUEST}-{repeat.number}")(repeat)


REFUSED = [
    (
        "container measured inside the VM",
        changed(BASE, _container_inside_the_vm),
        f"boot id {GUEST}-1 of the VM: it was measured inside it",
    ),
    ("one of them inside", changed(BASE, having("container", only=4, boot_id=f"{GUEST}-4")), f"{GUEST}-4 of the VM"),
    ("container on a third kernel", changed(BASE, having("container", boot_id="other")), "another kernel ran it"),
    ("VM is no VM", changed(BASE, having("vm", boot_id=SERVER)), f"The VM answered with its server's boot id {SERVER}"),
    ("columns exchanged", changed(BASE, judging.with_sides_exchanged), "The VM answered with its server's boot id"),
    (
        "other start line",
        changed(BASE, having("vm", start_line="kernel entered")),
        "The sides differ in the start line: kernel entered for the VM, the order to start for the container.",
    ),
    ("other finish line", changed(BASE, having("vm", finish_line="port open")), "differ in the finish line"),
    (
        "start line moved",
        changed(BASE, having("vm", only=3, start_line="kernel entered")),
        "Between repeats of the VM the start line changed: the order to start, then kernel entered.",
    ),
    (
        "closed-loop client",
        changed(BASE, having("container", client="closed loop, 8 connections")),
        "The client of the container was 'closed loop, 8 connections': only an open loop counts",
    ),
    (
        "closed loop on both sides",
        changed(changed(BASE, having("vm", client="ab -c 8")), having("container", client="ab -c 8")),
        "The client of the VM was 'ab -c 8'",
    ),
    ("other rate", changed(BASE, having("vm", client="open loop, 10/s")), "differ in the client"),
    (
        "other memory limit",
        changed(BASE, having("container", memory_mib=256)),
        "The sides differ in the memory limit (MiB): 512 for the VM, 256 for the container.",
    ),
    ("other CPU limit", changed(BASE, having("vm", vcpus=2)), "differ in the number of CPUs: 2 for the VM, 1 for"),
    (
        "other service version",
        changed(BASE, having("container", service_version="2.0.0")),
        "differ in the service's version",
    ),
    ("other service commit", changed(BASE, having("vm", service_commit="0000000")), "differ in the service's commit"),
    ("other storage", changed(BASE, having("vm", storage="/mnt on xfs")), "differ in the storage"),
    (
        "cold against warm",
        changed(BASE, having("vm", cache="cold")),
        "The sides differ in the state of the caches: cold for the VM, warm for the container.",
    ),
    (
        "cold first repeat",
        changed(BASE, having("vm", only=1, cache="cold")),
        "Between repeats of the VM the state of the caches changed: cold, then warm.",
    ),
    (
        "server restarted",
        changed(BASE, having("vm", only=7, server_boot_id="later")),
        "Between repeats of the VM its server's boot id changed",
    ),
    (
        "another accelerator than the run's",
        changed(BASE, having("vm", accelerator="tcg")),
        "The VM says its accelerator is tcg, and in this run it must be kvm.",
    ),
    ("TCG called KVM", changed(judging.run(accelerator="tcg"), having("vm", accelerator="kvm")), "must be tcg"),
    ("emulated container", changed(BASE, having("container", accelerator="tcg")), "must be host"),
    *(
        (f"no {name}", changed(BASE, without("vm", name)), f"For the VM this is not recorded: {word}.")
        for name, word in {**_fairness.EQUAL, **_fairness.EQUAL_WHEN_TIMED, **_fairness.PROOF}.items()
    ),
]
"""Name, the run with one fact changed, words of the reason."""


@pytest.mark.parametrize(("run", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_one_changed_fact_makes_the_run_not_comparable(run: Run, words: str) -> None:
    """The base is judged; this run is not, and says why."""
    assert judge(BASE, STARTS).verdict == "holds"
    judgement = judge(run, STARTS)
    assert judgement.verdict == "not comparable"
    assert words in judgement.reason
    assert _no_number_decided(judgement)


def _no_number_decided(judgement: Judgement) -> bool:
    return judgement.ratio is None and judgement.interval is None and judgement.n_needed is None


def test_one_repeat_only_is_no_verdict() -> None:
    """It is comparable, but one is no spread."""
    judgement = judge(judging.run(1), STARTS)
    assert judgement.verdict == "not decidable here"
    assert judgement.reason == "n too small: 1 a side, and a verdict needs 6"


@pytest.mark.parametrize(
    ("claim", "run"),
    [
        (STARTS, changed(BASE, having("vm", storage="qcow2"), subject=("storage",))),
        (STARTS, changed(BASE, having("vm", only=0, cache="cold", client="closed loop"))),
        (LARGER, changed(BASE, lambda one: without(one.side, "client")(one), experiment="size")),
        (LARGER, changed(BASE, having("vm", client=_fairness.NO_CLIENT), experiment="start")),
        (STARTS, changed(changed(BASE, having("vm", client="none")), having("container", client="none"))),
    ],
    ids=["the subject", "the warm-up", "bytes without a client", "another experiment", "nobody asks on either side"],
)
def test_what_need_not_be_equal_is_let_through(claim: Measured, run: Run) -> None:
    """The subject of an experiment, what does not count, and what a count of bytes has no use for."""
    assert judge(run, claim).verdict == "holds"


@pytest.mark.parametrize(
    "run",
    [
        changed(BASE, having("vm", boot_id=SERVER), subject=("boot_id", "server_boot_id")),
        changed(BASE, having("vm", client="closed loop"), subject=("client",)),
        changed(BASE, having("vm", accelerator="tcg"), subject=("accelerator",)),
    ],
)
def test_a_subject_cannot_excuse_who_a_side_is_or_how_a_client_sends(run: Run) -> None:
    """These are proofs, not conditions."""
    assert judge(run, STARTS).verdict == "not comparable"


def test_bytes_are_compared_fairly_too() -> None:
    """Another version of the service has other bytes."""
    run = changed(BASE, having("vm", service_version="2.0.0"), experiment="size")
    assert judge(run, LARGER).verdict == "not comparable"


def test_all_differences_are_named_at_once() -> None:
    """Whoever mends the run wants to know everything."""
    run = changed(BASE, having("vm", cache="cold", memory_mib=1024, client="closed loop"))
    judgement = judge(run, STARTS)
    assert len(judgement.evidence["differences"]) == 4
    assert all(sentence in judgement.reason for sentence in judgement.evidence["differences"])


def test_the_guard_asks_no_side_by_its_name() -> None:
    """With other sides of the same kinds it says the same of them."""
    kinds = {"one": KINDS["vm"], "two": KINDS["container"]}
    one, two = Arm("one"), Arm("two")
    experiment = BASE.experiment("start")
    assert experiment is not None
    repeats = {one: experiment.of("vm", "start"), two: experiment.of("container", "start")}
    assert not _fairness.differences(repeats, subject=(), exact=False, accelerator="kvm", kinds=kinds)
    exchanged = {one: repeats[two], two: repeats[one]}
    assert _fairness.differences(exchanged, subject=(), exact=False, accelerator="kvm", kinds=kinds)
