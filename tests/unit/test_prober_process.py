"""The prober's process: whatever ends it, what it had is kept."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.measure.prober import sample
from labkit.measure.prober.handle import Prober, Result, probing
from labkit.measure.prober.reference import reference
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import summarise
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT

BOUND_S = 60


pytestmark = pytest.mark.slow


def run(
    settings: dict[str, object] | str, *, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a prober to its end, settings on stdin."""
    text = settings if isinstance(settings, str) else json.dumps(settings)
    return subprocess.run(
        [sys.executable, "-m", "labkit.measure.prober"],
        input=text,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=BOUND_S,
        check=False,
        preexec_fn=before,
        encoding="utf-8",
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Bounded."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_prober_loses_nothing_it_had(tmp_path: Path) -> None:
    """SIGKILL: the file is readable, has what was answered up to the kill, and the ledger still works."""
    with (
        reference() as server,
        probing(Settings([server.url], tmp_path, reads_per_s=100, writes_per_s=50, deadline_s=20)) as prober,
    ):
        wait_until(lambda: len(server.seen) >= 250)
        killed = time.monotonic()
        result = prober.kill()
        found = list(result.samples())
        # What was answered a moment before the kill may have been under way.
        assert len(found) >= sum(left < killed - 0.5 for _, left in server.seen) > 0
        assert len({(one.kind, one.seq) for one in found}) == len(found)
        assert (result.record.state, result.record.cpu_s) == ("running", None)
        assert result.audit([server.url]).sound


def test_a_prober_that_someone_else_killed_is_an_error(tmp_path: Path) -> None:
    """The experiment does not go on as if it had been measured."""
    with (
        reference() as server,
        pytest.raises(LabError, match=r"ended by SIGKILL"),
        probing(Settings([server.url], tmp_path, deadline_s=20)) as prober,
    ):
        os.kill(prober.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_prober_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and TERM: nothing more is sent, requests under way get their outcomes, the record is complete."""
    with reference(0.5) as server, probing(Settings([server.url], tmp_path, deadline_s=20)) as prober:
        os.kill(prober.pid, number)
        stopped_s = prober.now_s()
        prober.wait_end(BOUND_S)
        sent = len(server.seen)
    record = prober.result.record
    found = list(prober.result.samples())
    assert (record.state, record.samples) == ("stopped", len(found))
    assert str(tmp_path) not in str(record), "a run that is handed on names somebody's folder"
    assert len(found) == sent
    assert all(one.good for one in found)
    assert sum(one.done_s > stopped_s for one in found) > 0
    assert sorted(one.seq for one in found if one.kind == "read") == list(
        range(sum(one.kind == "read" for one in found))
    )


def test_an_orphaned_prober_ends_in_order(tmp_path: Path) -> None:
    """When the process that started it is killed."""
    with reference() as server:
        parent = (
            "import sys, time; from pathlib import Path; from labkit.measure.prober.handle import probing\n"
            "from labkit.measure.prober.settings import Settings\n"
            f"with probing(Settings([{server.url!r}], Path({str(tmp_path)!r}))) as prober:\n"
            "    print(prober.pid, flush=True); time.sleep(60)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", parent], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        with process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 0
            process.kill()
        result = Result(tmp_path, "probe")
        wait_until(lambda: result.record.state == "stopped")
    assert result.record.samples == len(list(result.samples()))


def test_a_full_disk_is_said_and_what_was_there_is_kept(tmp_path: Path) -> None:
    """A limit on the file's size: non-zero, one message with the next step, whole lines only."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    with reference() as server:
        ended = run({"urls": [server.url], "folder": str(tmp_path), "duration_s": 30, "deadline_s": 20}, before=limit)
    found = list(sample.read(tmp_path / "probe.jsonl"))
    assert ended.returncode == 1
    assert f"The {len(found)} samples before are kept." in ended.stderr
    assert "Next: free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    text = (tmp_path / "probe.jsonl").read_text(encoding="utf-8")
    assert len(found) > 20
    assert text.endswith("\n")
    assert Result(tmp_path, "probe").record.state == "failed"


def test_a_prober_that_fails_is_an_error_of_the_experiment(tmp_path: Path) -> None:
    """The block that probes ends with the prober's own message."""
    with pytest.raises(LabError, match="leads nowhere"), probing(Settings(["http://nowhere.invalid"], tmp_path)):
        pass


def test_too_few_file_descriptors_are_said_at_once(tmp_path: Path) -> None:
    """Before anything is sent, with how many it needs; a soft limit that can be raised is raised."""
    settings = {"duration_s": 0.5, "deadline_s": 20, "reads_per_s": 50, "writes_per_s": 0}
    with reference() as server:
        given = {"urls": [server.url], "folder": str(tmp_path), **settings}
        hard = run(given, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
        soft = run(given, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2048)))
    assert (hard.returncode, soft.returncode) == (1, 0)
    assert "1064 open files are needed" in hard.stderr
    assert "256 are allowed" in hard.stderr


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null"])
def test_settings_that_are_no_json_object_are_refused(text: str) -> None:
    """Status 2 and the reason, no traceback."""
    ended = run(text)
    assert ended.returncode == 2
    assert "are no JSON object" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_bad_settings_touch_nothing(tmp_path: Path) -> None:
    """Status 2, all problems, an empty folder."""
    ended = run({"urls": [], "folder": str(tmp_path), "reads_per_s": -5})
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 4
    assert list(tmp_path.iterdir()) == []


def test_no_steady_state_is_said_with_the_last_outcome(tmp_path: Path) -> None:
    """Nothing answers rightly: the wait ends, and so does the prober."""
    with (
        reference(fault="wrong status") as server,
        pytest.raises(
            LabError, match=r"waited 2 s for a good answer: the last outcome was `wrong` \(status 503 BUSY\)"
        ),
        probing(Settings([server.url], tmp_path), good_within_s=2),
    ):
        pass


def test_an_outage_can_be_waited_out(tmp_path: Path) -> None:
    """Steady state after a fault: good answers without a failure for a while, on the experiment's own clock."""
    with reference() as server, probing(Settings([server.url], tmp_path, writes_per_s=0, deadline_s=0.5)) as prober:
        fault_s = prober.at(time.monotonic())
        server.fault = "reset"
        wait_until(lambda: any(one.outcome == "reset" for one in prober.result.samples()))
        server.fault = ""
        healed_s = prober.now_s()
        prober.wait_good(BOUND_S, for_s=1, after_s=fault_s, each=["reference"])
        found = [one for one in prober.result.samples() if one.failed]
    assert prober.now_s() >= healed_s + 1
    assert all(one.scheduled_s >= fault_s - 0.5 for one in found)


def test_an_interrupted_experiment_leaves_no_prober(tmp_path: Path) -> None:
    """Whatever the block raises; the samples stay."""
    probers: list[Prober] = []

    def interrupted(url: str) -> None:
        with probing(Settings([url], tmp_path)) as prober:
            probers.append(prober)
            raise KeyboardInterrupt

    with reference() as server:
        with pytest.raises(KeyboardInterrupt):
            interrupted(server.url)
        with pytest.raises(ProcessLookupError):
            os.kill(probers[0].pid, 0)
    assert summarise(probers[0].result.samples()).good > 0


def test_the_record_says_what_the_probing_cost(tmp_path: Path) -> None:
    """CPU time, priority, and why not the one that was wanted."""
    with reference() as server:
        settings = {"urls": [server.url], "folder": str(tmp_path), "duration_s": 0.5, "priority": "normal"}
        assert run({**settings, "deadline_s": 20}).returncode == 0
    record = Result(tmp_path, "probe").record
    assert record.cpu_s is not None
    assert record.seconds is not None
    assert 0 < record.cpu_s < BOUND_S
    assert 0.4 < record.seconds < BOUND_S
    assert (record.state, record.priority, record.priority_problem) == ("complete", "normal", "")
