"""Whether `up` can work on this machine: needs as data, each with what was found and, if it fails, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infra import facts, plan
from infra import machine as machine_file
from infra import settings as lab_settings
from labkit.lifecycle import leftovers, state
from labkit.setup import accelerator, checks_cpu, checks_firewall, checks_network, packages
from labkit.setup.checks import Check
from labkit.setup.docker import engine
from labkit.setup.tools import check as toolchain_check
from labkit.setup.tools import toolchain
from labkit.setup.tools.build import PLUGINS
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT_ID, cache, runtime

MEMORY_MIN_MIB = 2048
"""What the server, one guest of 512 MiB under QEMU, one container and the laptop's own programs need together."""

MEMORY_FREE_MIN_MIB = 1280
"""What of it must be free to bring up a lab with the default settings."""

DISK_MIN_GIB = 6
"""Images, toolchain (without what its build needs for a while) and one lab, as measured; see bench/up.json."""

TRIED = ("Debian GNU/Linux 12, cgroup v1", "Debian GNU/Linux 13, cgroup v2")
"""Systems on which labs have come up and gone down. Others should work; nobody has shown it."""

_QUICK_S = 10
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_GIB = 1024**3
_SUN_PATH = 108
"""Bytes of a Unix socket's path, the closing zero included (unix(7))."""


def look() -> list[Check]:
    """All checks. None of them changes anything."""
    return [check() for check in CHECKS]


def _system() -> Check:
    kind, machine = platform.system(), platform.machine()
    ok = kind == "Linux" and machine == "x86_64"
    return Check("system", ok, f"{kind} {platform.release()} {machine}", "Labs run on Linux on x86-64.")


def _python() -> Check:
    return Check("Python", sys.version_info >= (3, 11), platform.python_version(), "Install Python 3.11 or newer.")


def _packages() -> Check:
    missing = packages.missing()
    found = ", ".join(package.name for package in missing)
    return Check("Debian packages", not missing, f"missing: {found}" if found else "all there", "./lab setup", False)


def _engine() -> Check:
    try:
        found, passed = engine.find()
    except LabError as error:
        return Check("Docker Engine", False, error.problem, error.hint)
    if found is None:
        return Check("Docker Engine", False, passed or "none answers", "./lab setup starts a private one", False)
    kind = "private, " if found.private else ""
    return Check("Docker Engine", True, f"{found.version} ({kind}API {found.api_version}, {found.storage_driver})")


def _cgroup() -> Check:
    version = _cgroup_version()
    ok = version == "v2" or Path("/sys/fs/cgroup/memory").is_dir()
    return Check("cgroup", ok, version, "Mount the cgroup file systems.")


def _cgroup_version() -> str:
    return "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"


def _tun() -> Check:
    path = Path("/dev/net/tun")
    return Check("TUN device", path.is_char_device(), str(path), "Load it: modprobe tun")


def _memory() -> Check:
    text = Path("/proc/meminfo").read_text(encoding="utf-8")
    total, free = facts.memory_mib(text), facts.memory_mib(text, "MemAvailable")
    # A lab that is up has taken its part already.
    enough = free >= MEMORY_FREE_MIN_MIB or any(_is_up(lab) for lab in stack_files.names())
    hint = f"At least {MEMORY_MIN_MIB} MiB are needed, {MEMORY_FREE_MIN_MIB} of them free: end other programs."
    return Check("memory", total >= MEMORY_MIN_MIB and enough, f"{total} MiB, {free} MiB available", hint)


def _disk() -> Check:
    folder = next(path for path in (cache(), *cache().parents) if path.exists())
    free = shutil.disk_usage(folder).free / _GIB
    hint = f"At least {DISK_MIN_GIB} GiB are needed; VVC_CACHE=FOLDER puts the caches elsewhere."
    return Check("free disk", free >= DISK_MIN_GIB, f"{free:.0f} GiB at {folder}", hint)


def _pulumi() -> Check:
    found = toolchain.find()
    if found is None:
        return Check("Pulumi", False, "none yet", "./lab setup brings one", False)
    if why := toolchain_check.problem(found):
        return Check("Pulumi", False, why, toolchain_check.hint(found))
    return Check("Pulumi", True, f"{found.version} ({found.origin}), with plugins {', '.join(PLUGINS)}")


def _images() -> Check:
    try:
        found = machine_file.load()
    except machine_file.NotSetUpError as error:
        return Check("set-up", False, error.problem, error.hint, needed=error.hint != "./lab setup")
    return Check("set-up", True, f"guest disk {found.guest_digest}, container base {found.container_digest}")


def _accelerator() -> Check:
    try:
        found = machine_file.load()
    except machine_file.NotSetUpError:
        return Check("accelerator", False, "not known yet", "./lab setup boots a kernel to find out", needed=False)
    when = accelerator.probed_at() if accelerator.KVM.exists() else "now: there is nothing to boot on"
    return Check("accelerator", True, f"{found.accelerator} ({found.accelerator_reason}); tried {when}")


def _config() -> Check:
    """The committed configuration of each lab, by the rules of `pulumi up`; subnets have a check of their own."""
    told: list[str] = []
    try:
        kind, reason = machine_file.load().accelerator, machine_file.load().accelerator_reason
    except machine_file.NotSetUpError:
        kind, reason = "tcg", "./lab setup has not looked yet"
    total = facts.memory_mib(Path("/proc/meminfo").read_text(encoding="utf-8"))
    known = lab_settings.Facts(kind, reason, total, os.cpu_count() or 1, {})
    for lab in stack_files.names():
        try:
            others = {key: value for key, value in stack_files.values(lab).items() if key != "subnet"}
            lab_settings.parse(lab, others, known, CHECKOUT_ID)
        except lab_settings.SettingsError as error:
            told += error.problems
        except LabError as error:
            told.append(error.problem)
    return Check(
        "stack files", not told, "; ".join(told) or ", ".join(stack_files.names()) or "none", "Change what is named."
    )


def _is_up(lab: str) -> bool:
    return Path("/sys/class/net", plan.bridge_name(CHECKOUT_ID, lab)).exists()


def _leftovers() -> Check:
    """What is there of labs whose Pulumi stack holds nothing."""
    left: list[str] = []
    hint = ""
    for lab in stack_files.names():
        with suppress(LabError, machine_file.NotSetUpError):
            if not state.has_resources(lab) and (found := leftovers.find(machine_file.load(), lab)):
                left += [thing.what for thing in found]
                hint = f"./lab down {lab}"
    return Check("leftovers", not left, ", ".join(left) or "none", hint, False)


def _locks() -> Check:
    stale = [lab for lab in stack_files.names() if state.stale_locks(lab)]
    found = f"a dead Pulumi holds {', '.join(stale)}" if stale else "none"
    return Check("stale locks", not stale, found, f"./lab up {stale[0]} releases it" if stale else "", False)


def _platform() -> Check:
    """Says what labs have been tried on; no machine fails it."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    here = f"{release.get('NAME', 'unknown')} {release.get('VERSION_ID', '')}, cgroup {_cgroup_version()}"
    tried = "tried" if here in TRIED else f"not tried yet; tried were {', '.join(TRIED)}"
    return Check("platform", True, f"{here}: {tried}", needed=False)


def _sockets() -> Check:
    server = plan.server_name(plan.MAX_SERVERS - 1)
    longest = max((len(f"{runtime()}/{lab}-{server}/libvirt.sock") for lab in stack_files.names()), default=0)
    hint = "VVC_CACHE=FOLDER puts them into a shorter one."
    return Check("socket paths", longest < _SUN_PATH, f"{longest} bytes of {_SUN_PATH}", hint)


CHECKS: tuple[Callable[[], Check], ...] = (
    _system,
    _platform,
    _python,
    _cgroup,
    checks_cpu.cpu,
    _tun,
    _memory,
    _disk,
    _config,
    _sockets,
    _packages,
    _engine,
    checks_firewall.firewall,
    checks_network.subnets,
    _pulumi,
    _images,
    _accelerator,
    _leftovers,
    _locks,
)
