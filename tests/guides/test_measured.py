"""The run that the guide makes: what it measured, what follows from it, and what must not once a fact is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra import settings
from labkit.judge.model import Judgement
from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.runs.records import Repeat, Run
from labs.deployment import kernels
from tests.engines.real import LAB, tool
from tests.engines.runs_read import repeats, verdicts
from tests.guides.guides import TEST_S

pytestmark = [pytest.mark.engine, pytest.mark.timeout(TEST_S)]

SIDES = ("vm", "container")
VCPUS, MEMORY_MIB = int(settings.DEFAULTS["vcpus"]), int(settings.DEFAULTS["memory_mib"])


def rows(run: Run) -> dict[str, Any]:
    """The judged rows by name."""
    return {row.name: row for row in judge(run, labs.load(LAB).claims)}


def part(run: Run, claim: str) -> Judgement:
    """One judged claim."""
    judged = judge(run, labs.load(LAB).claims)
    return next(one for row in judged for one in row.parts if one.claim.name == claim)


def test_a_quick_run_ends_with_a_judged_report(run: Run) -> None:
    """Size by bytes; Speed is not decided where the CPU is emulated; stages, machine, folder."""
    told = tool("report", LAB, run.id).stdout
    size, speed = rows(run)["Size"], rows(run)["Speed"]
    assert size.verdict in ("holds", "does not hold")
    assert all(one.reason.startswith("counted exactly") for one in size.parts)
    assert speed.verdict == "not decidable here"
    for text in ("VMs vs Containers", "Figures", "Stage by stage", "first 200", "VM, packages only here"):
        assert text in told
    emulated = run.accelerator == "tcg"
    assert ("EMULATED CPU (TCG): the VM's times and CPU are upper bounds." in told) == emulated
    assert all(("EMULATED CPU" in one.reason) == emulated for one in speed.parts)


def test_a_run_has_every_repeat_with_its_conditions(run: Run) -> None:
    """All actions on both sides; each side proves what it is; the same service, limits and storage."""
    start = run.experiment("start")
    assert start is not None
    assert not [one.problem for one in start.repeats if one.problem]
    for action in ("deploy", "start", "restore"):
        assert {side: len(start.of(side, action)) for side in ("vm", "container")} == {"vm": 2, "container": 2}
    for one in start.repeats:
        own = one.conditions
        assert (own["boot_id"] == own["server_boot_id"]) == (one.side == "container")
        assert (own["vcpus"], own["memory_mib"]) == (VCPUS, MEMORY_MIB)
        assert own["service_version"] == settings.DEFAULTS["service_version"]
    assert len({one.conditions["storage"] for one in start.repeats}) == 1
    assert {"qemu", "libvirt", "server_engine", "server_debian", "pulumi", "base_image"} <= set(run.machine)


def test_the_second_replica_was_made_for_the_count(run: Run) -> None:
    """Its disk is that of a new replica, part by part; how old the lab is does not count."""
    size = run.experiment("size")
    assert size is not None
    for side in ("vm", "container"):
        (one,) = size.of(side)
        second = dict(one.facts["second_replica"])
        assert second.pop("replica") == f"{side}-2"
        assert second.pop("own_disk_bytes") == sum(second.values()) == one.values["second_replica_bytes"] > 0


def test_stages_sum_to_the_total_and_explain_it(run: Run) -> None:
    """Within 5 %; of a start each engine's own stages are there."""
    start = run.experiment("start")
    assert start is not None
    for one in start.repeats:
        assert sum(stage.s for stage in one.stages) == pytest.approx(one.values["ready_s"], rel=0.05)
        assert all(stage.source and stage.resolution_s > 0 for stage in one.stages)
    names = {
        side: {stage.name for one in start.of(side, "start") for stage in one.stages} for side in ("vm", "container")
    }
    assert {"libvirt makes QEMU's process", "kernel and initrd", "first 200"} <= names["vm"]
    assert {"engine makes the container's process", "first 200"} <= names["container"]


def test_the_report_is_the_same_as_json(run: Run) -> None:
    """The same verdicts."""
    told = json.loads(tool("report", LAB, "--json").stdout)
    assert {row["name"]: row["verdict"] for row in told["rows"]} == {
        name: row.verdict for name, row in rows(run).items()
    }


def changed(run: Run, change: Callable[[Repeat], Repeat | None]) -> Run:
    """The same run with one fact changed in each repeat; None takes the repeat away."""
    experiments = tuple(
        replace(one, repeats=tuple(new for repeat in one.repeats if (new := change(repeat)) is not None))
        for one in run.experiments
    )
    return replace(run, experiments=experiments)


def condition(side: str, **values: str | float) -> Callable[[Repeat], Repeat]:
    """Other conditions on one side."""
    return lambda one: replace(one, conditions={**one.conditions, **values}) if one.side == side else one


def inside_the_vm(one: Repeat) -> Repeat:
    """The container answers with the guest's boot id."""
    guest = {"boot_id": "4632e10d-e59c-47f0-96a8-eee05a4300cb"}
    return replace(one, conditions={**one.conditions, **guest}) if one.side == "container" else one


def swapped(one: Repeat) -> Repeat:
    """Each side's numbers under the other's name."""
    return replace(one, side={"vm": "container", "container": "vm"}[one.side])


MUST_REFUSE: Mapping[str, tuple[Callable[[Repeat], Repeat | None], str, str]] = {
    "container measured inside the VM": (inside_the_vm, "not comparable", "boot id"),
    "different start lines": (condition("vm", start_line="the button"), "not comparable", "start line"),
    "one repeat only": (lambda one: one if one.number == 1 else None, "not decidable here", "n too small: 1 a side"),
    "closed-loop client": (condition("vm", client="closed loop"), "not comparable", "only an open loop counts"),
    "swapped columns": (swapped, "not comparable", "accelerator"),
    "other memory limit": (condition("container", memory_mib=1024), "not comparable", "the memory limit"),
    "other service version": (condition("vm", service_version="2"), "not comparable", "the service's version"),
    "cold against warm": (condition("vm", cache="cold"), "not comparable", "the caches"),
}


@pytest.mark.parametrize("claim", ["deploys-slower", "starts-slower"])
@pytest.mark.parametrize("case", MUST_REFUSE)
def test_a_real_run_with_one_fact_changed_is_refused(case: str, claim: str, run: Run) -> None:
    """With the reason; unchanged it is comparable."""
    change, verdict, reason = MUST_REFUSE[case]
    assert part(run, claim).verdict != "not comparable"
    judged = part(changed(run, change), claim)
    assert judged.verdict == verdict, judged
    assert reason in judged.reason


def test_what_a_further_replica_takes(run: Run) -> None:
    """The parts of its memory make up the whole; a guest's own account fits its RAM; both used CPU and disk."""
    for side in SIDES:
        for one in repeats(run, "resources", side):
            values = one.values
            whole = values["working_memory_mib"] + values["translation_cache_mib"]
            assert values["host_memory_mib"] == pytest.approx(whole, abs=0.01)
            assert values["working_memory_mib"] > 1
            assert values["idle_cpu_percent"] > 0
            assert values["own_disk_bytes"] > 0
    (vm,), (container,) = (repeats(run, "resources", side) for side in SIDES)
    assert (vm.values["translation_cache_mib"] > 0) == (run.accelerator == "tcg")
    parts = vm.values["guest_ram_mib"] + vm.values["hypervisor_memory_mib"]
    assert parts == pytest.approx(vm.values["working_memory_mib"], abs=0.01)
    guest = sum(vm.values[name] for name in ("guest_used_mib", "guest_cache_mib", "guest_free_mib"))
    assert MEMORY_MIB * 0.8 < guest <= MEMORY_MIB
    assert vm.values["guest_ram_mib"] <= MEMORY_MIB + 8
    assert container.values["translation_cache_mib"] == 0
    assert {"containerd_shim_memory_mib", "dockerd_daemon_memory_mib", "cgroup_memory_mib"} <= set(container.values)
    assert "libvirtd_daemon_memory_mib" in vm.values


def test_whose_kernel_it_is(run: Run) -> None:
    """A guest has its own and can have another; a container has its server's, whatever its files say."""
    (vm,), (container,) = (repeats(run, "operating-system", side) for side in SIDES)
    assert vm.facts["inside"]["boot_id"] != vm.facts["server"]["boot_id"]
    assert container.facts["inside"]["boot_id"] == container.facts["server"]["boot_id"]
    other = vm.facts["another_kernel"]
    assert other["ran"]["release"] == other["carried"] != vm.facts["inside"]["kernel_release"]
    assert container.facts["another_kernel"]["carried"] == other["carried"]
    assert container.facts["another_kernel"]["ran"]["boot_id"] == container.facts["server"]["boot_id"]
    assert {verdict for verdict, _ in verdicts(run, "Operating system").values()} == {"holds"}


def test_what_an_emulated_cpu_cannot_show_is_not_said(run: Run) -> None:
    """CPU of the VM is never confirmed there; memory and storage wait for more repeats, whatever the CPU."""
    usage = verdicts(run, "Resource usage")
    verdict, reason = usage["further-replica-takes-more-cpu-while-idle"]
    assert verdict == "not decidable here"
    assert ("EMULATED CPU" in reason) == (run.accelerator == "tcg")
    for claim in ("further-replica-takes-more-memory", "further-replica-takes-more-storage"):
        verdict, reason = usage[claim]
        assert verdict == "not decidable here"
        assert "n too small" in reason
        assert "EMULATED CPU" not in reason


def test_the_cached_kernel_is_fetched_once(run: Run) -> None:
    """It lies in the cache, whole; nothing half-written beside it."""
    del run
    found = sorted(kernels.folder().glob("*/*"))
    assert [file.name for file in found] == ["vmlinuz"] * len(found)
    assert found
