"""A CPU that NumPy cannot use is told before NumPy is loaded; a program that a signal ended is told so."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.commands import doctor
from labkit.measure import labs
from labkit.setup import checks_cpu
from labkit.system import endings, shell
from labkit.system.errors import CommandError, LabError

KVM64 = """processor\t: 0
model name\t: Common KVM processor
flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht \
syscall nx lm constant_tsc nopl xtopology cpuid pni cx16 x2apic hypervisor
"""
NEHALEM = KVM64.replace("pni cx16", "pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm").replace("Common KVM", "Core i7")


@pytest.mark.parametrize(
    ("cpuinfo", "lacks"),
    [
        (KVM64, ["LAHF", "POPCNT", "SSSE3", "SSE4.1", "SSE4.2"]),
        (NEHALEM, []),
        (f"{NEHALEM}\n{KVM64.replace(' pni', ' pni lahf_lm popcnt ssse3 sse4_1')}", ["SSE4.2"]),
        ("processor : 0\nFeatures : fp asimd\n", []),
    ],
    ids=["kvm64", "nehalem", "one core is older", "another architecture"],
)
def test_what_a_cpu_lacks(cpuinfo: str, lacks: list[str]) -> None:
    """Of what NumPy's wheels are built for, on any of its cores."""
    assert checks_cpu.lacking(cpuinfo) == lacks


def test_doctor_names_it_and_run_and_report_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is imported that would die."""
    file = tmp_path / "cpuinfo"
    file.write_text(KVM64, encoding="utf-8")
    monkeypatch.setattr(checks_cpu, "_CPUINFO", file)
    check = checks_cpu.cpu()
    assert not check.ok
    assert check.found.startswith("Common KVM processor lacks LAHF, POPCNT, SSSE3")
    with pytest.raises(LabError, match=r"needs x86-64-v2, so `run` and `report` would die by SIGILL\.") as refused:
        labs.load("deployment")
    assert "x86-64-v2-AES" in refused.value.hint
    assert doctor.needs() == []  # that no lab can be read is not said a second time


def test_loading_the_command_loads_no_numpy() -> None:
    """Else it would die before it can refuse."""
    code = "import sys; from labkit.commands import report, report_html, run; from labkit.measure import labs; \
sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-signal.SIGILL, "ended by SIGILL (an instruction that this CPU does not have: ./lab doctor says which)"),
        (-signal.SIGSEGV, "ended by SIGSEGV (a fault in that program itself)"),
        (-signal.SIGKILL, "ended by SIGKILL (by somebody, or by the kernel for lack of memory: dmesg says so)"),
        (137, "exit status 137, as after SIGKILL (by somebody, or by the kernel for lack of memory: dmesg says so)"),
        (-signal.SIGTERM, "ended by SIGTERM"),
        (130, "exit status 130"),
        (255, "exit status 255"),
    ],
)
def test_an_ending_in_words(status: int, told: str) -> None:
    """The signal's name, and what it usually means."""
    assert endings.in_words(status) == told


def test_a_command_that_a_signal_ended_is_told_so() -> None:
    """With `shell.run`, by which everything else is run."""
    with pytest.raises(CommandError, match=r"ended by SIGILL \(an instruction"):
        shell.run(["sh", "-c", "kill -ILL $$"], timeout_s=10)
