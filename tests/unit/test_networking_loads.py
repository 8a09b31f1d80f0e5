"""What the networking lab makes of counters, samples and iperf3's words; and of a kernel that cannot delay."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from labkit.judge.model import Measured
from labkit.measure.experiment import Seen, Turn
from labkit.measure.prober.sample import Sample
from labkit.measure.testing import fake
from labkit.report import quantities
from labkit.sides import SIDES
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labs.networking import cpu, impairment, latency, requests, throughput
from labs.networking.cpu import Used
from labs.networking.impairment import DELAYED, NETWORK, PLAIN

ONE = Sample("s", "read", 0, 1.0, 1.001, 1.004, 1.006, "ok", 200, "vm-1", "server-1", "", 400)
TOLD: dict[str, Any] = {
    "end": {
        "sum_received": {"bytes": 2 * throughput.GIB, "seconds": 2.0},
        "sum_sent": {"retransmits": 7},
        "cpu_utilization_percent": {"host_total": 5.0, "remote_total": 50.0},
    }
}


def test_connecting_and_answering_are_two_numbers() -> None:
    """0.4 ms to connect and 4.6 ms to the whole answer; 6 ms from the scheduled time on; failures have no latency."""
    failed = ONE._replace(outcome="deadline", connect_us=None)
    found = latency.values([ONE, failed])
    assert (found["connect_p50_ms"], found["answer_p50_ms"], found["latency_p99_ms"]) == (0.4, 4.6, 6.0)
    assert found["failed_requests"] == 1


def test_a_path_that_never_answers_has_no_latency() -> None:
    """It is an error, not a row of zeros."""
    with pytest.raises(LabError, match="None of the requests"):
        latency.values([ONE._replace(outcome="refused", connect_us=None)])


def test_what_idling_uses_is_taken_off() -> None:
    """1.5 s in 3 s, of which 0.2 s in 2 s are used anyway: 1.2 s; of the group nothing is known."""
    nan = math.nan
    assert cpu.both(Used(1.0, 0.05, 1.0), Used(1.0, 0.15, 2.0)) == Used(2.0, 0.2, 3.0)
    found = Used(3.0, 1.5, nan).beyond(Used(2.0, 0.2, nan))
    assert found.busy_s == pytest.approx(1.2)
    assert math.isnan(found.group_s)


def test_a_servers_counters_are_read_by_one_script() -> None:
    """On this machine too: the script works in a plain shell, and its readings give a window of time."""

    def run(command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None) -> Outcome:
        said = subprocess.run(list(command), check=True, capture_output=True, text=True, timeout=timeout_s).stdout
        return Outcome(tuple(command), 0, said, 0.0)

    before, after = cpu.read(run), cpu.read(run)
    found = cpu.between(before, {**after, "at_s": after["at_s"] + 1, "busy_ticks": after["busy_ticks"] + 50})
    assert found.seconds >= 1
    assert found.busy_s >= 0.5


def test_a_processs_time_is_read_whatever_it_is_called() -> None:
    """Fields 14 and 15, counted behind a name with spaces and brackets: 0.25 s and 0.05 s."""
    stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 25 5 0 0 20 0 1 0 9\n"
    assert cpu.process_s(Outcome((), 0, stat, 0.0)) == pytest.approx(0.3)


def test_work_gives_no_time_back() -> None:
    """What is not known, and what says more of the machine's other work than of ours, is no value."""
    assert cpu.told({"x_s": 0.12345, "y_s": -0.01, "z_s": math.nan, "w_s": 0.0}) == {"x_s": 0.1235}
    busy = throughput.per_gib(throughput.parse(json.dumps(TOLD)), Used(3.0, 0.5, 4.0), None)
    assert busy == {"mib_per_s": 1024.0, "gib_group_cpu_s": 2.0}


def test_a_gib_costs_what_is_left_of_the_servers_time() -> None:
    """2 GiB in 2 s, 3 s of CPU time beyond idling, 1 s of it the far end's: 1 s a GiB; a guest's own stands beside."""
    told = throughput.parse(json.dumps(TOLD))
    assert (told["far_end_cpu_s"], told["retransmits"]) == (1.0, 7.0)
    found = throughput.per_gib(told, Used(3.0, 3.0, math.nan), None)
    assert found == {"mib_per_s": 1024.0, "gib_cpu_s": 1.0}
    assert throughput.per_gib(told, Used(3.0, 3.0, 4.0), 1.0)["gib_guest_cpu_s"] == 0.5


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"error": "unable to connect to server: No route to host"}', "No route to host"),
        (json.dumps({"end": {**TOLD["end"], "sum_received": {"bytes": 0, "seconds": 2.0}}}), "no byte"),
    ],
)
def test_iperf3s_error_is_passed_on(said: str, told: str) -> None:
    """A stream that failed is no stream of 0 MiB/s."""
    with pytest.raises(LabError, match=told):
        throughput.per_gib(throughput.parse(said), Used(3.0, 3.0, 3.0), None)


def test_a_request_costs_what_is_beyond_the_service() -> None:
    """100 answers, 0.3 s beyond the service's 0.2 s."""
    found = requests.values(0.3, 0.2, Used(4.0, 0.6, math.nan), 100)
    assert found == {"thousand_requests_cpu_s": 3.0, "thousand_requests_service_cpu_s": 2.0}


@pytest.mark.parametrize(
    ("outcomes", "carried", "ended"),
    [
        ([{}, {}, {"deadline": 3}], 64.0, "failure"),
        ([{"refused": 1}], 0.0, "failure"),
        ([{}, {"unsent": 2}], 32.0, "client"),
        ([{}] * len(requests.RUNGS), 1024.0, "last"),
    ],
)
def test_a_limit_is_the_last_step_without_a_failure(outcomes: list[dict[str, int]], carried: float, ended: str) -> None:
    """What a late client did not send is no failure of the path, but ends the steps as well."""
    steps = [
        {"per_s": per_s, "good": 1, "failed": sum(found.values()) - found.get("unsent", 0), "outcomes": found}
        for per_s, found in zip(requests.RUNGS, outcomes, strict=False)
    ]
    assert (requests.carried(steps), requests.ended(steps)) == (carried, ended)


@pytest.mark.parametrize("module", [latency, throughput, requests])
def test_every_path_takes_its_turn(module: Any) -> None:
    """As many repeats of each path, sides alternating as the paths do; a claim's arms are among them, often enough."""
    turns = module.turns(tuple(SIDES), False)
    plain = [one for one in turns if one.factors[NETWORK] == PLAIN and one.number]
    assert (
        {one.factors["path"] for one in plain} == {one.factors["path"] for one in turns if one.number} == {*paths.KINDS}
    )
    for claim in module.CLAIMS:
        assert isinstance(claim, Measured)
        for arm in (claim.greater, claim.other):
            assert sum(arm.covers(one.arm) and claim.metric.action in ("", one.action) for one in plain) >= 6
    assert len(module.turns(tuple(SIDES), True)) < len(turns) / 2
    assert {one.side for one in module.turns(("vm",), True)} == {"vm"}


@pytest.mark.parametrize("said", ["", "Error: Specified qdisc kind is unknown.\n"])
def test_a_kernel_that_cannot_delay_says_so(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured as if it were delayed: the repeat carries what was tried; where it can, it is undone."""
    lab = fake("networking")("networking", tmp_path)
    seen = Seen({"x": 1.0})
    ran: list[str] = []

    def does(_where: str, words: Sequence[str]) -> str:
        ran.append(words[2])
        return said if words[2] == impairment.LOOK else ""

    monkeypatch.setattr(lab, "does", does)
    turn = Turn("vm", 1, factors={"path": "bridged", NETWORK: DELAYED})
    found = impairment.behind(lab.place, turn, lambda *_: seen)
    if not said:
        assert found == seen
        assert ran == [impairment.LOOK, impairment.DELAY, impairment.UNDO]
    else:
        assert "not measured: it takes the kernel's module sch_netem" in found.marks[0]
        assert "netem delay 20ms loss 1%` said: Specified qdisc kind is unknown" in found.marks[0]
        assert not found.values
        assert ran == [impairment.LOOK]
    plain = replace(turn, factors={**turn.factors, NETWORK: PLAIN})
    assert impairment.behind(lab.place, plain, lambda *_: seen) == seen
    assert ran[-1] == impairment.UNDO, "a run that was killed may have left its delay"


def test_a_rate_of_data_is_shown_with_its_unit() -> None:
    """Not as so many a second of nothing."""
    assert quantities.unit_of("sent_1_mib_per_s") == "MiB/s"
    assert quantities.label_of("sent_1_mib_per_s") == "sent 1"
    assert quantities.unit_of("connections_per_s") == "/s"
