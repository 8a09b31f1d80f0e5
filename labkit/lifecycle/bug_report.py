"""Packs what a bug report needs into one archive: logs, versions, doctor's answers, Pulumi's state; no secrets.

Only known files go in, never a folder as it is, and every text is cleaned on the way: keys, secrets, the home
directory, the account's and the machine's name.
"""

from __future__ import annotations

import dataclasses
import getpass
import io
import json
import os
import platform
import re
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from infra import source
from labkit.lifecycle import doctor
from labkit.system import shell, stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT, STATE

LOGS = 40
"""Newest logs of commands that go in."""

_MAX_LOG = 400_000
_QUICK_S = 10
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - Pulumi's public mark of a secret in a state file
_REMOVED = "<removed>"
_KEYS = re.compile(r"(secret|salt|password|passphrase|token|private_?key|ssh_?key|encrypted)", re.IGNORECASE)
_NAMED = re.compile(
    r"""\b(\w*(?:salt|sshkey|password|passphrase|secret|token)\w*)(\\?["']?\s*[=:]\s*)[^\s,}]+""", re.IGNORECASE
)
_PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), _REMOVED),
    (re.compile(r"\b(ssh-(?:ed25519|rsa)|ecdsa-\S+) AAAA[A-Za-z0-9+/=]+"), rf"\1 {_REMOVED}"),
    (_NAMED, rf"\1\2{_REMOVED}"),
    (re.compile(r"\bv1:[A-Za-z0-9+/=]{8,}(:[A-Za-z0-9+/=:]+)?"), _REMOVED),
    (re.compile(r"(://)[^\s/@]+@"), rf"\1{_REMOVED}@"),
)
_COMMON_NAMES = {"root", "user", "lab", "vm", "localhost", "debian", "docker", "container", "server"}


def pack(file: Path | None = None) -> Path:
    """Write the archive and return where it is: `file`, or one in the checkout's own folder. Raises LabError."""
    target = file or STATE / f"bug-report-{time.strftime('%Y%m%dT%H%M%S')}.tar.gz"
    clean = cleaner(str(Path.home()), getpass.getuser(), platform.node())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:gz") as archive:
            for name, text in contents():
                data = (_clean_json(text, clean) if name.endswith(".json") else clean(text)).encode()
                entry = tarfile.TarInfo(f"bug-report/{name}")
                entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o644
                archive.addfile(entry, io.BytesIO(data))
    except OSError as error:
        raise LabError(f"The bundle {target} cannot be written: {error}", hint="./lab doctor --bundle FILE") from error
    return target


def _clean_json(text: str, clean: Callable[[str], str]) -> str:
    def each(value: Any) -> Any:
        if isinstance(value, dict):
            return {clean(key): each(part) for key, part in value.items()}
        if isinstance(value, list):
            return [each(part) for part in value]
        return clean(value) if isinstance(value, str) else value

    try:
        return json.dumps(each(json.loads(text)), indent=1, ensure_ascii=False)
    except ValueError:
        return clean(text)


def contents() -> Iterator[tuple[str, str]]:
    """Name and text of each member, not cleaned yet."""
    yield "doctor.json", json.dumps([dataclasses.asdict(check) for check in doctor.look()], indent=2)
    yield "versions.json", json.dumps(versions(), indent=2)
    for file in sorted((STATE / "logs").glob("*.log"), key=lambda log: log.stat().st_mtime)[-LOGS:]:
        yield f"logs/{file.name}", tail(file)
    stacks = STATE / "pulumi" / ".pulumi" / "stacks" / "vm-vs-container"
    for lab in stack_files.names():
        yield f"{lab}/Pulumi.{lab}.yaml", tail(CHECKOUT / f"Pulumi.{lab}.yaml")
        for file in sorted((STATE / lab).glob("*.log")):
            yield f"{lab}/{file.name}", tail(file)
        if (stacks / f"{lab}.json").is_file():
            yield f"{lab}/state.json", state(tail(stacks / f"{lab}.json", sys.maxsize))


def versions() -> dict[str, str]:
    """What runs here: this checkout's commit, Python, Pulumi's packages, the system's programs."""
    commands = {name: [name, "--version"] for name in ("docker", "iptables", "ssh-keyscan", "git")}
    told = {name: shell.run(words, timeout_s=_QUICK_S, check=False) for name, words in commands.items()}
    found = {name: outcome.output.strip()[:200] for name, outcome in told.items() if outcome.ok}
    names = ("pulumi", "pulumi-docker", "pulumi-libvirt", "ansible-core", "docker")
    packages = {f"{name} (Python package)": _version(name) for name in names}
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    system = {"system": release.get("PRETTY_NAME", platform.system()), "kernel": platform.release()}
    system["commit"] = source.commit(CHECKOUT)
    return {**system, "python": platform.python_version(), **packages, **found}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def tail(file: Path, most: int = _MAX_LOG) -> str:
    """The end of a file, at most so many bytes, cut at a line; or why it cannot be read."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - most))
            text = stream.read().decode(errors="replace")
    except OSError as error:
        return f"cannot be read: {error}\n"
    return text if size <= most else text.split("\n", 1)[-1]


def state(text: str) -> str:
    """A state file without secrets: what is marked as one, and what is named like one."""
    try:
        return json.dumps(_without_secrets(json.loads(text)), indent=1)
    except ValueError:
        return f"The state is no JSON; {len(text)} characters.\n"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        if _SECRET in value:
            return _REMOVED
        return {key: _REMOVED if _KEYS.search(key) else _without_secrets(part) for key, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value


def cleaner(home: str, user: str, host: str) -> Callable[[str], str]:
    """Pure: a function that takes keys, secrets, the home directory and personal names out of a text."""
    names = [(user, "<user>"), (host, "<host>")]
    personal = [(word, mark) for word, mark in names if len(word) > 1 and word.lower() not in _COMMON_NAMES]

    def clean(text: str) -> str:
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        if len(home) > 1:
            text = re.sub(rf"{re.escape(home)}(?=[/\s\"':;,)\]}}]|\Z)", "~", text)
        for word, mark in personal:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", mark, text)
        return text

    return clean
