"""Debian packages that labs need, as data: which are missing, and their installation after asking."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit import engine, images_base, paths, root, shell
from labkit.errors import CommandError, LabError
from labkit.progress import Report

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
    Package("mmdebstrap", BOOTSTRAP, "makes the images' base where the engine's registry cannot be reached",
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
_UPDATE_S = 300
_INSTALL_S = 900
_QUERY_S = 30
_BOUNDS = ("-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20")
_NO_NETWORK = re.compile(
    r"Could not (resolve|connect)|Temporary failure|Failed to fetch|Connection (timed out|refused)|Unable to connect"
)
_UNKNOWN = re.compile(r"Unable to locate package|has no installation candidate|404 +Not Found")


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
    lacking = images_base.load(paths.cache() / "images") is None and not all(one.there for one in needed({BOOTSTRAP}))
    if lacking and not _registry_reachable():
        groups.add(BOOTSTRAP)
    return groups


def _registry_reachable() -> bool:
    try:
        socket.create_connection(_REGISTRY, timeout=_REACH_S).close()
    except OSError:
        return False
    return True


def ensure(report: Report, *, yes: bool, confirm: Callable[[str], bool], tests: bool = False) -> None:
    """Install what this machine lacks, after asking. Raises LabError with the command to type when it may not."""
    groups = _groups() | ({TESTS} if tests else set())
    lacking = missing(groups)
    if not lacking:
        return
    for package in lacking:
        report.line(f"Missing: {package.name} ({package.why})")
    install(report, [package.name for package in lacking], yes=yes, confirm=confirm)
    still = ", ".join(package.name for package in missing(groups))
    if still:
        raise LabError(f"Installed, and yet not there: {still}", hint="see what apt says: apt-cache policy")


def install(report: Report, names: Sequence[str], *, yes: bool, confirm: Callable[[str], bool]) -> None:
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
    fresh = lists_are_fresh(_LISTS, time.time())
    if not fresh:
        _update(report)
    try:
        _install(report, names)
    except CommandError as error:
        if not fresh or not _UNKNOWN.search(error.outcome.output):
            raise _worded(error) from error
        _update(report)
        try:
            _install(report, names)
        except CommandError as again:
            raise _worded(again) from again


def lists_are_fresh(folder: Path, now: float) -> bool:
    """Whether apt's package lists are there and less than a day old. `now` in seconds since 1970."""
    times = [file.stat().st_mtime for file in folder.glob("*_Packages*")] if folder.is_dir() else []
    return bool(times) and now - max(times) < _LISTS_MAX_AGE_S


def _update(report: Report) -> None:
    with report.step("Reading Debian's package lists"):
        try:
            _apt(["update"], report, _UPDATE_S)
        except CommandError as error:
            raise _worded(error) from error


def _install(report: Report, names: Iterable[str]) -> None:
    real = list(dict.fromkeys(_known_name(name) for name in names))
    with report.step(f"Installing {', '.join(real)}"):
        _apt(["install", "-y", "--no-install-recommends", *real], report, _INSTALL_S)


def _known_name(name: str) -> str:
    instead = next((package.instead for package in PACKAGES if package.name == name), "")
    if not instead:
        return name
    answer = shell.run(["apt-cache", "show", "--no-all-versions", name], timeout_s=_QUERY_S, check=False)
    return name if answer.ok and answer.output.startswith("Package:") else instead


def _apt(words: Sequence[str], report: Report, timeout_s: float) -> None:
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_MODE": "l"}
    if not Path("/run/systemd/system").exists():
        # Without systemd a package's start script may half-start its service; the engine is started by us instead.
        env["RUNLEVEL"] = "1"
    root.run(["apt-get", *_BOUNDS, *words], timeout_s=timeout_s, env=env, on_line=report.detail)


def _worded(error: CommandError) -> LabError:
    if _NO_NETWORK.search(error.outcome.output):
        return LabError("Debian's package servers cannot be reached.", hint="check the network; then the same again")
    return LabError(error.problem, hint=f"as root: {error.outcome.pasteable}")
