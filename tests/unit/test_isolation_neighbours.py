"""The experiment *neighbours*: what it lets loose, what it makes of the words of kernels and engines."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.sides import KINDS
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.summary import summarise
from labkit.runs.records import Repeat, Results
from labkit.sides import SIDES
from labkit.system.errors import LabError
from labs.isolation import _fakes_neighbours, burden, neighbour, neighbours, tables
from labs.isolation.burden import FAULTS, Load, Room
from labs.isolation.fakes import Fake
from labs.isolation.neighbour import Events, Lived
from labs.isolation.neighbours import FAULT, LIMITED, LIMITS, UNLIMITED
from labs.isolation.sides import neighbour as held
from tests.unit.lab_fakes import empty_run

LOAD = Load(8.0, 2, 512, "10.0.0.2")
ROOMY = Room(16384, 65536, 4096)
GUEST = """oom_kills 3
refused_processes 7
said Out of memory: Killed process 812 (stress-ng-vm) total-vm:1093216kB, anon-rss:401920kB
state running
"""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_each_neighbour_ends_by_itself(fault: burden.Fault) -> None:
    """Whatever becomes of who began it: its own program knows when to end."""
    words = " ".join(fault.words(LOAD))
    assert "--timeout 8s" in words or "--time 8" in words
    assert "{" not in words
    assert 'timeout --kill-after=2 "$within"' in neighbour.RUN


def test_what_it_takes_is_measured_out_by_the_lab() -> None:
    """A worker for each CPU of the server; twice the memory that a replica has."""
    assert FAULTS["cpu"].words(LOAD)[:3] == ("stress-ng", "--cpu", "2")
    assert "1024m" in FAULTS["memory"].words(LOAD)
    assert "10.0.0.2" in FAULTS["network"].words(LOAD)


@pytest.mark.parametrize(
    ("fault", "there", "limited", "says"),
    [
        ("memory", Room(1500, 65536, 4096), False, "1500 MiB of memory left"),
        ("memory", Room(1500, 65536, 4096), True, ""),
        ("disk", Room(16384, 8000, 4096), True, "8000 MiB of disk left"),
        ("forks", Room(16384, 65536, None), True, "nothing limits how many processes"),
        ("forks", ROOMY, False, ""),
        ("cpu", Room(10, 10, None), False, ""),
    ],
)
def test_a_machine_that_is_too_small_is_told_so(fault: str, there: Room, limited: bool, says: str) -> None:
    """Before anything begins, with what it has and what is needed."""
    why = burden.too_small(FAULTS[fault], LOAD, there, limited=limited)
    assert (says in why) if says else why == ""


def test_what_there_is_no_room_for_is_said_of_each_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the turns that a run is to make, and of no other; a lab with one replica a side has no neighbour at all."""
    monkeypatch.setattr(_fakes_neighbours, "ROOM", "memory_kib 1048576\ndisk_kib 4194304\nprocesses 4096\n")
    fake = Fake("isolation", tmp_path)
    with fake.standing_in() as place:
        told = neighbours.lacks(place, neighbours.turns(tuple(SIDES), False))
        assert {one.partition(":")[0] for one in told} == {
            *(f"{side} disk limited is left out" for side in SIDES),
            *(
                f"{side} {fault} unlimited is left out"
                for side in SIDES
                for fault in ("memory", "disk")
                if _shares(side)
            ),
        }
        assert neighbours.lacks(place, neighbours.turns(("vm",), True)) == []
        assert not fake.touched
        fake.replicas = 1
        with pytest.raises(LabError, match="one replica"):
            neighbours.lacks(fake.place, neighbours.turns(("vm",), True))


def _shares(side: str) -> bool:
    return KINDS[side].shares_kernel


def test_a_servers_room_is_read() -> None:
    """In KiB; a limit that is none is none."""
    assert burden.room("memory_kib 2097152\ndisk_kib 8388608\nprocesses 4096\n") == Room(2048, 8192, 4096)
    assert burden.room("memory_kib 2097152\ndisk_kib 8388608\nprocesses max\n").processes is None
    assert burden.room("memory_kib 2097152\ndisk_kib 8388608\n").processes is None


def test_only_what_an_engine_holds_can_be_let_go() -> None:
    """A VM's limits are its own machine: it has no arm without."""
    arms = neighbours.arms(tuple(SIDES), "cpu")
    free = [arm.side for arm in arms if arm.factors[LIMITS] == UNLIMITED]
    assert [side for side in KINDS if KINDS[side].shares_kernel] == free
    assert {arm.side for arm in arms if arm.factors[LIMITS] == LIMITED} == set(SIDES)
    assert set(held.SIDES) == set(SIDES)


def test_a_quick_run_has_some_faults_once_and_a_full_one_all_of_them_six_times() -> None:
    """The one that claims rest on is made six times in between."""
    quick, normal = (neighbours.turns(tuple(SIDES), one) for one in (True, False))
    assert {turn.factors[FAULT] for turn in quick} == set(neighbours.QUICK)
    assert {turn.factors[FAULT] for turn in normal} == set(FAULTS)
    assert max(turn.number for turn in normal if turn.factors[FAULT] == "cpu") == 6
    assert max(turn.number for turn in normal if turn.factors[FAULT] == "disk") == 1
    assert max(turn.number for turn in neighbours.full(tuple(SIDES)) if turn.factors[FAULT] == "disk") == 6


def test_what_kernels_and_engines_count_is_read() -> None:
    """And what came meanwhile is what is more than before, line by line."""
    found = neighbour.parse(GUEST)
    assert (found.oom_kills, found.refused_processes, found.state) == (3, 7, "running")
    before = Events(1, 7, "running", ("an old line",))
    came = neighbour.between(before, Events(3, 7, "running", ("an old line", "Killed process 9", "Killed process 9")))
    assert came == Events(2, 0, "running", ("Killed process 9", "Killed process 9"))
    killed = Events(state="running (OOMKilled)")
    assert neighbour.between(Events(state="running"), killed).state == "running (OOMKilled)"
    assert neighbour.between(killed, killed).state == "running"
    assert neighbour.parse("state exited (OOMKilled)\n").state == "exited (OOMKilled)"


@pytest.mark.parametrize(
    ("side", "how", "came", "says"),
    [
        ("vm", Lived(0, 8, 0, 9999), Events(1), "the OOM killer of its own kernel, once"),
        ("container", Lived(0, 8, 0, 9999), Events(2), "the OOM killer of its server"),
        ("container", Lived(0, 8, 0, 9999), Events(0, 5), "all of its server's containers, 5 times"),
        ("vm", Lived(0, 8, 0, 0), Events(), "its disk, which is full"),
        ("vm", Lived(0, 8, 0, 9999), Events(), "nobody: its time was over"),
        ("container", Lived(0, 3, None, None), Events(), "its connection, which broke off"),
    ],
)
def test_who_ends_whom_is_said(side: str, how: Lived, came: Events, says: str) -> None:
    """By what was counted, never by what one expects."""
    assert says in neighbour.ended_by(side, how, came)


def test_a_neighbours_words_are_read() -> None:
    """Its status, the least that was free, and the last that it said."""
    lines = ["stress-ng: info: dispatching hogs: 1 hdd", "least_free_kib 40960", "least_free_kib 12", "status 2"]
    assert neighbour.lived(lines, 1.0, 2.0) == Lived(1.0, 2.0, 2, 12, (lines[0],))
    assert neighbour.lived(lines[:1], 1.0, 2.0).status is None


def _window(latency_ms: float, outcome: str = "ok") -> list[Sample]:
    done = latency_ms / 1e3
    return [Sample("s", "read", at, at, at, at + done, at + done, outcome, 200) for at in range(100)]


def test_a_p99_grows_from_one_window_to_the_next() -> None:
    """8 ms before and 20 ms during: 12 ms. What is lost is counted apart; less than nothing is told as the least."""
    found = neighbours.values({"before": summarise(_window(8)), "during": summarise(_window(20))})
    assert (found["during_p99_ms"], found["p99_grows_by_ms"], found["during_lost"]) == (20.0, 12.0, 0.0)
    assert (
        neighbours.values({"before": summarise(_window(8)), "during": summarise(_window(7))})["p99_grows_by_ms"] == 0.1
    )
    lost = neighbours.values({"before": summarise(_window(8)), "during": summarise(_window(8, "deadline"))})
    assert lost["during_lost"] == 100
    assert "p99_grows_by_ms" not in lost


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (None, "does not answer"),
        ({"boot_id": "b", "pid": 7}, "its kernel was started anew"),
        ({"boot_id": "a", "pid": 8}, "its service was started anew"),
        ({"boot_id": "a", "pid": 7}, "yes"),
    ],
)
def test_whether_a_victim_lives_on_is_told_by_its_own_answer(after: dict[str, object] | None, says: str) -> None:
    """The same kernel, the same process."""
    assert says in neighbours.survives({"boot_id": "a", "pid": 7}, after)


def _shell(script: str, *words: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script, "sh", *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def _in(script: str, folder: Path) -> str:
    """A script for another folder, and for a program of another name: it ends whatever has that name here."""
    return script.replace(neighbour.FOLDER, str(folder)).replace("stress-ng", "vvc-toy")


def _program(folder: Path) -> Path:
    program = folder / "vvc-toy"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    return program


def test_a_neighbour_that_survives_is_found_and_ended(tmp_path: Path) -> None:
    """By the same two scripts in a guest and in a container; a folder that was carried in goes as well."""
    folder = tmp_path / "neighbour"
    look, end, run = (_in(script, folder) for script in (neighbour.LOOK, neighbour.END, neighbour.RUN))
    folder.mkdir()
    program = _program(folder)
    with subprocess.Popen([program, "60"]) as named, subprocess.Popen(["/bin/sleep", "60"], cwd=folder) as there:
        assert _shell(look).returncode == 0
        assert _shell(end, "keep").returncode == 0
        assert named.wait(5) != 0
        assert there.wait(5) != 0
    assert program.exists()
    assert "status 0" in _shell(run, "5", "vvc-toy", "0.2").stdout.splitlines()
    assert _shell(end).returncode == 0
    assert not program.exists()
    assert _shell(look).returncode != 0


def test_a_neighbour_that_does_not_end_is_ended_by_its_time(tmp_path: Path) -> None:
    """Nobody need be left to do it."""
    _program(tmp_path)
    ran = _shell(_in(neighbour.RUN, tmp_path), "1", "vvc-toy", "60")
    assert "status 124" in ran.stdout.splitlines()
    assert "least_free_kib" in ran.stdout


def _repeat(
    experiment: str, side: str, values: Mapping[str, float], facts: Mapping[str, object], **factors: str
) -> Repeat:
    return Repeat(experiment, side, 1, 0.0, values, facts=facts, factors=factors)


def test_a_runs_tables_say_who_suffered_and_who_ended_whom() -> None:
    """A window without a good answer is no zero."""
    facts: dict[str, object] = {"ended_by": "its disk, which is full", "victim_survives": "yes"}
    lost = {"before_p99_ms": 8.0, "during_lost": 3.0}
    some = _repeat("neighbours", "vm", lost, facts, fault="disk", limits="limited")
    other = _repeat("neighbours", "vm", {**lost, "during_p99_ms": 9.0}, facts, fault="cpu", limits="limited")
    calls = {"calls": {"read": 20, "write": 10}, "watched": "QEMU"}
    seen = _repeat("surface", "vm", {"system_call_kinds": 2.0, "system_calls": 30.0}, calls)
    results = [Results(name, "?", "complete", 1.0, made) for name, made in
               (("neighbours", (some, other)), ("surface", (seen,)))]  # fmt: skip
    run = empty_run(experiments=tuple(results))
    rows = tables.neighbours(run, ()).lines
    assert [row[0] for row in rows] == ["cpu", "disk"]
    assert rows[1][3:7] == ("none answered", "3", "yes", "its disk, which is full")
    assert tables.surface(run, ()).lines == [("VM: QEMU", "2", "30", "read 20, write 10", "1")]
    assert tables.neighbours(empty_run(), ()).lines == []


ENGINE = """#!/bin/sh
case $1 in
    inspect) case $* in *NanoCpus*) echo "1500000000 402653184 402653184" ;; esac ;;
    update) shift; echo "$*" >> "$(dirname "$0")/updates" ;;
esac
"""


def test_limits_that_are_lifted_are_written_down_and_set_again_by_that(tmp_path: Path) -> None:
    """Once, whoever lifts them again before; what is written down says what it is, and goes when it has done it."""
    program, note = tmp_path / "docker", tmp_path / "vvc-undo-limits-container-2"
    program.write_text(ENGINE, encoding="utf-8")
    program.chmod(0o755)
    script = f"PATH={tmp_path}:$PATH\n" + held.SIDES["container"].lift.replace("/var/tmp", str(tmp_path))
    for _ in range(2):
        assert _shell(script, "container-2").returncode == 0
    assert note.read_text(encoding="utf-8").startswith("# the limits of container-2 are taken off\n")
    assert _shell(f"PATH={tmp_path}:$PATH; . {note}").returncode == 0
    updates = (tmp_path / "updates").read_text(encoding="utf-8").splitlines()
    assert updates[-1] == "--cpus 1.5 --memory 402653184 --memory-swap 402653184 container-2"
    assert len(updates) == 3
    assert not note.exists()
