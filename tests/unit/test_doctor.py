"""Each need of doctor when it is not met: what it says and whether `up` could not work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra import facts
from labkit.commands import doctor as command
from labkit.lifecycle import doctor, state
from labkit.setup.checks import Check
from labkit.system import stack_files
from labkit.system.errors import LabError

MEMINFO = "MemTotal: 4194304 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stack file of the only lab of a checkout."""
    monkeypatch.setattr(stack_files, "CHECKOUT", tmp_path)
    file = tmp_path / "Pulumi.some.yaml"
    file.write_text("config:\n  vm-vs-container:topology: single\n", encoding="utf-8")
    return file


def test_every_failing_check_has_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine as well."""
    assert [check.name for check in doctor.look() if not check.ok and not check.hint] == []


def test_the_fields_of_meminfo() -> None:
    assert (facts.memory_mib(MEMINFO), facts.memory_mib(MEMINFO, "MemAvailable")) == (4096, 1024)


def test_all_problems_of_a_stack_file_are_told_at_once(stack: Path) -> None:
    stack.write_text("config:\n  vm-vs-container:replica: 2\n  vm-vs-container:replicas: 0\n", encoding="utf-8")
    check = doctor._config()
    assert not check.ok
    assert check.needed
    assert "'replica' is no configuration key" in check.found
    assert "replicas is '0': a whole number from 1 to 32 is needed" in check.found


def test_a_stack_file_that_is_no_yaml_is_told(stack: Path) -> None:
    stack.write_text("config: [oops\n", encoding="utf-8")
    assert doctor._config().found.startswith("The stack file Pulumi.some.yaml cannot be read:")


def test_a_dead_pulumis_lock_is_told(stack: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state, "BACKEND", tmp_path)
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "vm-vs-container" / "some"
    folder.mkdir(parents=True)
    assert doctor._locks().ok
    (folder / "1.json").write_text("{}", encoding="utf-8")
    check = doctor._locks()
    assert (check.ok, check.needed, check.hint) == (False, False, "./lab up some releases it")


@pytest.mark.parametrize(("needed", "status"), [(True, 1), (False, 0)])
def test_the_exit_status_says_whether_up_can_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], needed: bool, status: int
) -> None:
    """What ./lab setup brings is no reason to fail."""
    failing = Check("memory", ok=False, found="little", hint="buy some", needed=needed)
    monkeypatch.setattr(doctor, "look", lambda: [failing])
    assert command.run(as_json=True) == status
    assert json.loads(capsys.readouterr().out) == [
        {"name": "memory", "ok": False, "found": "little", "hint": "buy some", "needed": needed}
    ]


def test_a_stack_file_that_is_gone_is_named(stack: Path) -> None:
    stack.unlink()
    with pytest.raises(LabError, match=r"The stack file Pulumi.\*.yaml is gone from") as refused:
        stack_files.known("some")
    assert refused.value.hint == "git checkout -- 'Pulumi.*.yaml'"


def test_the_stack_file_that_is_gone_beside_others_is_told_by_its_labs_folder(stack: Path) -> None:
    """A lab that never was here is no such one."""
    stack.rename(stack.with_name("Pulumi.other.yaml"))
    folder = stack.parent / "labs" / "some"
    folder.mkdir(parents=True)
    (folder / "lab.py").touch()
    with pytest.raises(LabError, match=r"The stack file Pulumi.some.yaml is gone from") as refused:
        stack_files.known("some")
    assert refused.value.hint == "git checkout -- 'Pulumi.some.yaml'"
    with pytest.raises(LabError, match=r"There is no lab 'another'; there is other\."):
        stack_files.known("another")
