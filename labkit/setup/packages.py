"""Debian packages that labs need, as data: which are missing, and their installation after asking."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.setup import _apt
from labkit.setup.building import base
from labkit.setup.docker import engine
from labkit.system import paths, root
from labkit.system.errors import LabError
from labkit.system.progress import Progress

ENGINE, BASE, BOOTSTRAP, TESTS = "engine", "base", "bootstrap", "tests"


@dataclass(frozen=True)
class Package:
    """A Debian package, and how to see that what it brings is there: a program on the PATH or a file."""

    name: str
    group: str
    why: str
    program: str = ""
    file: str = ""
    instead: str = ""
    """The package that brings the same where Debian has none of this name."""

    @property
    def there(self) -> bool:
        """What it brings is there, wherever it came from."""
        return root.which(self.program) is not None if self.program else Path(self.file).exists()


PACKAGES = (
    Package("docker.io", ENGINE, "runs the servers", program="dockerd"),
    Package("iptables", ENGINE, "the engine's networks", program="iptables"),
    Package("iproute2", ENGINE, "the engine's bridges", program="ip"),
    # A package of its own since Debian 13.
    Package("docker-cli", BASE, "./lab exec", program="docker", instead="docker.io"),
    Package("openssh-client", BASE, "reaches guests", program="ssh"),
    Package("ca-certificates", BASE, "downloads are checked with it", file="/etc/ssl/certs/ca-certificates.crt"),
    Package("mmdebstrap", BOOTSTRAP, "makes the images' base where the engine's registry does not",
            program="mmdebstrap"),
    Package("debian-archive-keyring", BOOTSTRAP, "mmdebstrap checks Debian's signatures with it",
            file="/usr/share/keyrings/debian-archive-keyring.gpg"),
    Package("chromium", TESTS, "a browser opens the report", program="chromium"),
    Package("strace", TESTS, "a test watches the service's fsync", program="strace"),
)  # fmt: skip

_REGISTRY = ("registry-1.docker.io", 443)
"""Where an engine gets images whose name has no host."""

_REACH_S = 3.0
_LISTS = Path("/var/lib/apt/lists")
_LISTS_MAX_AGE_S = 24 * 3600
_OLD_LISTS = {"unknown", "gone", "download"}
"""Why an installation fails where the package lists are older than what the servers have."""


def needed(which: set[str]) -> list[Package]:
    """The packages of these groups."""
    return [package for package in PACKAGES if package.group in which]


def missing(which: set[str] | None = None) -> list[Package]:
    """The packages of these groups whose programs or files are not there; by default of those this machine needs."""
    return [package for package in needed(_groups() if which is None else which) if not package.there]


def _groups() -> set[str]:
    groups = {BASE}
    if not engine.answers():
        groups.add(ENGINE)
    # Who has a base root file system, from a class file say, makes none.
    lacking = base.load(paths.cache() / "images") is None and not all(one.there for one in needed({BOOTSTRAP}))
    if lacking and not _registry_reachable():
        groups.add(BOOTSTRAP)
    return groups


def _registry_reachable() -> bool:
    try:
        socket.create_connection(_REGISTRY, timeout=_REACH_S).close()
    except OSError:
        return False
    return True


def ensure(progress: Progress, *, yes: bool, confirm: Callable[[str], bool], tests: bool = False) -> None:
    """Install what this machine lacks, after asking. Raises LabError with the command to type when it may not."""
    _ensure(_groups() | ({TESTS} if tests else set()), progress, yes=yes, confirm=confirm)


def ensure_bootstrap(progress: Progress, *, yes: bool, confirm: Callable[[str], bool]) -> None:
    """The same for what makes the images' base, where the engine's registry has refused."""
    _ensure({BOOTSTRAP}, progress, yes=yes, confirm=confirm)


def _ensure(groups: set[str], progress: Progress, *, yes: bool, confirm: Callable[[str], bool]) -> None:
    lacking = missing(groups)
    if not lacking:
        return
    for package in lacking:
        progress.line(f"Missing: {package.name} ({package.why})")
    install(progress, [package.name for package in lacking], yes=yes, confirm=confirm)
    still = ", ".join(package.name for package in missing(groups))
    if still:
        raise LabError(f"Installed, and yet not there: {still}", hint="see what apt says: apt-cache policy")


def install(progress: Progress, names: Sequence[str], *, yes: bool, confirm: Callable[[str], bool]) -> None:
    """Install Debian packages. `yes` or VVC_YES=1 answers; else `confirm` is asked, if there is a terminal."""
    if shutil.which("apt-get") is None:
        raise LabError(
            f"Missing: {', '.join(names)} (named as in Debian)", hint="install them with your system's package manager"
        )
    prefix = "" if os.geteuid() == 0 else "sudo "
    command = f"{prefix}apt-get install --no-install-recommends {' '.join(names)}"
    if not yes and os.environ.get("VVC_YES") != "1":
        if not sys.stdin.isatty():
            raise LabError(f"Missing packages: {', '.join(names)}", hint=f"{command}   (or repeat with --yes)")
        if not confirm(f"Run: {command} ?"):
            raise LabError(f"Not installed: {', '.join(names)}", hint=command)
    with _apt.with_readable_sources(progress) as own:
        fresh = lists_are_fresh(_LISTS, time.time())
        if not fresh:
            own.update()
        fault = own.install(_known_names(own, names))
        if fault is not None and fresh and fault.kind in _OLD_LISTS:
            own.update()
            fault = own.install(_known_names(own, names))
    if fault is not None:
        raise LabError(
            f"Not installed: {', '.join(names)}. {fault.sentence}", hint=f"{fault.hint}; then the same again"
        )


def _known_names(own: _apt.Apt, names: Sequence[str]) -> list[str]:
    """The names under which this Debian has them."""
    instead = {package.name: package.instead for package in PACKAGES if package.instead}
    return list(dict.fromkeys(instead[name] if name in instead and not own.has(name) else name for name in names))


def lists_are_fresh(folder: Path, now: float) -> bool:
    """Whether apt's package lists are there and less than a day old. `now` in seconds since 1970."""
    times = [file.stat().st_mtime for file in folder.glob("*_Packages*")] if folder.is_dir() else []
    return bool(times) and now - max(times) < _LISTS_MAX_AGE_S
