"""The lab isolation's experiment *kernel*: what is set is put back, no kernel but a guest's panics, what is claimed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from labkit.judge.model import Observed
from labkit.measure.prober.sample import Sample
from labkit.runs.records import Repeat, Results, Run
from labs.isolation import kernel, kernel_claims
from labs.isolation.sides import panic, parameters

SERVER, GUEST = "74ff70d8-15de-4c1d-8c95-5f6c8ef6b573", "914773a7-9262-4c70-95c6-69b150fbed7a"


def replica(name: str, *, anew: bool = False, ran_on: bool = True) -> dict[str, Any]:
    """As kept in a run."""
    side = name.partition("-")[0]
    boot = GUEST if side == "vm" else SERVER
    return {
        "replica": name,
        "side": side,
        "boot_id_before": boot,
        "boot_id_after": f"{boot[:-1]}f" if anew else boot,
        "ran_on": ran_on,
    }


PANICKED: dict[str, Any] = {
    "panicked": "vm-1",
    "said": "[   12.3] Kernel panic - not syncing: sysrq triggered crash",
    "server": {"before": SERVER, "after": SERVER},
    "replicas": [replica("vm-1", anew=True, ran_on=False), replica("vm-2"), replica("container-1")],
}


def parameter(own: list[str], shared: list[str], who: str) -> dict[str, Any]:
    """As kept in a run of two replicas a side."""
    return {
        "set_for": who,
        "boot_id": {"inside": SERVER if who.startswith("container") else GUEST, "server": SERVER},
        "on_the_servers_kernel": ["container-1", "container-2"],
        "own": {"parameter": "net.ipv4.ip_default_ttl", "seen_by": own},
        "shared": {"parameter": "kernel.printk_ratelimit_burst", "seen_by": shared},
    }


CONTAINER = parameter(["container-1"], ["server", "container-1", "container-2"], "container-1")
VM = parameter(["vm-1"], ["vm-1"], "vm-1")


def run(panicked: Mapping[str, Any], container: Mapping[str, Any], vm: Mapping[str, Any]) -> Run:
    """With one repeat of each."""
    repeats = tuple(
        Repeat("kernel", side, 1, 0.0, {}, action=action, facts=facts)
        for side, action, facts in (
            ("vm", kernel.PANIC, panicked),
            ("container", kernel.PARAMETERS, container),
            ("vm", kernel.PARAMETERS, vm),
        )
    )
    return Run("r", "isolation", "", "", "", {}, {}, (Results("kernel", "?", "complete", 1.0, repeats),))


def seen(name: str, one: Run) -> bool | None:
    """What a claim makes of it."""
    claim = next(claim for claim in kernel_claims.CLAIMS if claim.name == name)
    assert isinstance(claim, Observed)
    found = claim.observe(one)
    return found.true if found else None


PANIC, SHARED, OWN = (claim.name for claim in kernel_claims.CLAIMS)


def test_a_guests_panic_that_ends_it_alone() -> None:
    """And what would refute that: another that ended, its server, or no panic at all."""
    assert seen(PANIC, run(PANICKED, CONTAINER, VM)) is True
    others = [*PANICKED["replicas"][:2], replica("container-1", ran_on=False)]
    assert seen(PANIC, run({**PANICKED, "replicas": others}, CONTAINER, VM)) is False
    assert seen(PANIC, run({**PANICKED, "server": {"before": SERVER, "after": GUEST}}, CONTAINER, VM)) is False
    assert seen(PANIC, run({**PANICKED, "said": ""}, CONTAINER, VM)) is False
    alone = PANICKED["replicas"][:2]
    assert seen(PANIC, run({**PANICKED, "replicas": alone}, CONTAINER, VM)) is False, "no container was looked at"


def test_what_is_set_for_one_container_holds_for_all() -> None:
    """Its server and the other container read it; of a guest's nobody else does."""
    whole = run(PANICKED, CONTAINER, VM)
    assert (seen(SHARED, whole), seen(OWN, whole)) == (True, True)
    alone = parameter(["container-1"], ["container-1"], "container-1")
    assert seen(SHARED, run(PANICKED, alone, VM)) is False
    leaks = parameter(["vm-1", "server"], ["vm-1", "server"], "vm-1")
    assert (seen(SHARED, run(PANICKED, CONTAINER, leaks)), seen(OWN, run(PANICKED, CONTAINER, leaks))) == (False, False)


def test_the_table_says_whom_each_reached() -> None:
    """A line for the panic, and two for each that a parameter was set for."""
    panicked = Repeat(
        *("kernel", "vm", 1, 0.0, {"back_s": 22.41, "others_failed": 0.0, "others_requests": 179.0}),
        action=kernel.PANIC,
        facts=PANICKED,
    )
    facts = {
        **CONTAINER,
        **{what: {**CONTAINER[what], "it_is_refused": "Permission denied"} for what in ("own", "shared")},
    }
    container = Repeat("kernel", "container", 1, 0.0, {}, action=kernel.PARAMETERS, facts=facts)
    found = Results("kernel", "?", "complete", 1.0, (panicked, container))
    shown = kernel_claims.table(Run("r", "isolation", "", "", "", {}, {}, (found,)), ())
    assert list(shown.lines[0]) == [
        "vm-1",
        "its kernel panics",
        "vm-1; 0 of 179 requests to the others lost",
        "back from another boot after 22.4\N{NO-BREAK SPACE}s",
    ]
    assert list(shown.lines[2]) == [
        "container-1",
        "kernel.printk_ratelimit_burst is one more",
        "server, container-1, container-2",
        "refused: Permission denied",
    ]


def test_who_reads_another_value_has_seen_it() -> None:
    """By name."""
    assert kernel.changed({"server": 10, "vm-1": 10}, {"server": 11, "vm-1": 10}) == ["server"]


def test_a_process_ran_on_if_it_is_the_same_of_the_same_boot() -> None:
    """A container made anew has another one under the same boot id."""
    before = {"side": "container", "boot_id": "b", "pid": 1, "started_boottime_s": 5.0}
    told = kernel.told({"a": before, "b": before}, {"a": before, "b": {**before, "started_boottime_s": 9.0}})
    assert [one["ran_on"] for one in told] == [True, False]


def test_what_the_others_lost_counts_from_the_order_on() -> None:
    """A failure before it is none of the panic's."""

    def sample(at_s: float, outcome: str) -> Sample:
        return Sample("s", "read", 0, at_s, at_s, at_s, at_s + 0.01, outcome, 200, "container-1", "server-1")

    found = kernel.lost([sample(0.0, "refused"), sample(1.0, "ok"), sample(2.0, "reset"), sample(3.0, "ok")], 0.5)
    assert (found["others_requests"], found["others_failed"]) == (3.0, 1.0)
    assert found["others_longest_gap_s"] == 2.0


def test_no_kernel_panics_that_is_the_servers() -> None:
    """The order itself looks, before it does anything: here with this machine's own."""
    own = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    script = panic.PANIC.replace("/proc/sys/kernel/panic", "/nowhere/panic").replace(
        "/proc/sysrq-trigger", "/nowhere/x"
    )
    done = subprocess.run(["sh", "-c", script, "sh", own], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "this is the server's kernel\n", "")


@pytest.fixture
def here(tmp_path: Path) -> Mapping[str, str]:
    """The scripts that set and put back, on files of this test."""
    notes = {"/var/tmp/vvc-undo-": f"{tmp_path}/vvc-undo-", "setsid": ": setsid"}
    found = {"set": parameters.SET, "back": parameters.PUT_BACK}
    for old, new in notes.items():
        found = {name: script.replace(old, new) for name, script in found.items()}
    return found


def test_what_is_set_twice_is_put_back_to_what_it_was_first(tmp_path: Path, here: Mapping[str, str]) -> None:
    """Whoever was killed in between; and the note says what it is, and goes."""
    file, note = tmp_path / "burst", tmp_path / "vvc-undo-burst"
    file.write_text("10\n", encoding="utf-8")

    def sh(script: str, *words: str) -> None:
        subprocess.run(["sh", "-c", script, "sh", *words], check=True, timeout=20)

    for _ in range(2):
        sh(here["set"], str(file), "container-1", "")
        assert file.read_text(encoding="utf-8") == "11\n"
        assert note.read_text(encoding="utf-8").startswith(f"# {file}, set for container-1\n")
    sh(here["back"])
    assert (file.read_text(encoding="utf-8"), note.exists()) == ("10\n", False)
    sh(here["back"])


def test_a_servers_undo_runs_what_was_written_down() -> None:
    """By the name that the note has; and says its first line."""
    undo = (Path(__file__).parents[2] / "images/server/undo.sh").read_text(encoding="utf-8")
    assert "for note in /var/tmp/vvc-undo-*; do" in undo
    assert "note=/var/tmp/vvc-undo-" in parameters.SET


def test_why_a_process_may_not_set_a_parameter(tmp_path: Path) -> None:
    """The shell's word for it; nothing where it may, and the value stays."""
    file = tmp_path / "x"
    file.write_text("10\n", encoding="utf-8")
    for path, said in ((file, ""), (tmp_path, "Is a directory")):
        done = subprocess.run(
            ["sh", "-c", parameters.MAY_SET, "sh", str(path)], capture_output=True, text=True, timeout=20, check=True
        )
        assert done.stdout.strip().rpartition(": ")[2] == said
    assert file.read_text(encoding="utf-8") == "10\n"
