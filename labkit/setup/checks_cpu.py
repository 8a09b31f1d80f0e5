"""What the machine's CPU must have. NumPy, with which runs are judged, is built for x86-64-v2 and dies without."""

from __future__ import annotations

from pathlib import Path

from labkit.setup.checks import Check
from labkit.system.errors import LabError

_CPUINFO = Path("/proc/cpuinfo")
_V2 = {
    "cx16": "CMPXCHG16B",
    "lahf_lm": "LAHF",
    "popcnt": "POPCNT",
    "pni": "SSE3",
    "ssse3": "SSSE3",
    "sse4_1": "SSE4.1",
    "sse4_2": "SSE4.2",
}
"""What x86-64-v2 has beyond x86-64: the kernel's name of each, and the processor's."""

_HINT = (
    "if this is a virtual machine, give it a newer CPU type: in Proxmox x86-64-v2-AES or host instead of kvm64, in "
    "libvirt host-passthrough, for QEMU -cpu host"
)


def lacking(cpuinfo: str) -> list[str]:
    """Pure: what a CPU lacks of x86-64-v2, from the text of /proc/cpuinfo; nothing where that has no flags."""
    flags = [set(line.partition(":")[2].split()) for line in cpuinfo.splitlines() if line.startswith("flags")]
    return [name for flag, name in _V2.items() if any(flag not in one for one in flags)]


def model(cpuinfo: str) -> str:
    """Pure: the CPU's name."""
    names = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name"))
    return next(names, "a CPU without a name")


def problem(cpuinfo: str) -> str:
    """Pure: why this CPU cannot judge runs, in a sentence; "" if it can."""
    missing = ", ".join(lacking(cpuinfo))
    told = f"{model(cpuinfo)} lacks {missing}: NumPy, with which runs are judged, needs x86-64-v2"
    return f"{told}, so `run` and `report` would die by SIGILL" if missing else ""


def cpu() -> Check:
    """Whether `run` and `report` work on this CPU."""
    text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    told = problem(text)
    return Check("CPU", not told, told or model(text), _HINT)


def need() -> None:
    """Raise LabError where NumPy would end this process without a word."""
    told = problem(_CPUINFO.read_text(encoding="utf-8", errors="replace"))
    if told:
        raise LabError(f"{told}.", hint=_HINT)
