"""Which Pulumi this checkout uses: the person's own, the official release, or one built from Go modules."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labkit.setup.tools import build, release
from labkit.setup.tools.build import PLUGINS, VERSION
from labkit.system.files import draft_of, write_whole
from labkit.system.paths import CHECKOUT, STATE, VENV, cache
from labkit.system.progress import Progress

OLDEST = (3, 220, 0)
"""Oldest CLI that we take from the PATH: one of the same half year as the pinned SDK, whose newer resource options an
older engine would refuse half way."""

_LOGS = "PULUMI_LOG_ROTATION_MAX_TOTAL_MB"
_HOST = "pulumi-language-python"
_SCRIPTS = {_HOST: "language_host.py", "pulumi-resource-pulumi-python": "dynamic_provider.py"}


@dataclass(frozen=True)
class Toolchain:
    """A Pulumi that works here."""

    pulumi: Path
    version: str
    origin: Literal["path", "official", "built"]
    path_dirs: tuple[Path, ...]
    """Folders to put in front of PATH."""
    env: Mapping[str, str]
    """Variables that it needs besides."""


def find() -> Toolchain | None:
    """What is ready now; asks no network, builds nothing."""
    built_home = build.plugins()
    for candidate in (_own(), _release(release.ready())):
        if candidate is None:
            continue
        if all(release.has_plugin(Path(candidate.env["PULUMI_HOME"]), name) for name in PLUGINS):
            return candidate
        if built_home is not None:
            return _with_plugins(candidate, built_home)
    program = build.cli()
    return _built(program, built_home) if program is not None and built_home is not None else None


def ensure(progress: Progress) -> Toolchain:
    """What is ready, or else the first of these that can be had, in this order.

    A `pulumi` on the PATH that is recent enough; the official release; a build from Go modules. The first two with
    the official plugins, or with built ones where these can't be reached. Raises LabError with one next step.
    """
    found = find()
    if found is not None:
        return found
    candidate = _own() or _release(release.ensure(progress))
    if candidate is None:
        return _built(*build.ensure(progress))
    if release.official_plugins(candidate.pulumi, Path(candidate.env["PULUMI_HOME"]), progress):
        return candidate
    return _with_plugins(candidate, build.ensure_plugins(progress))


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The numbers of what `pulumi version` prints, e.g. v3.259.0; None if it is none."""
    match = re.search(r"^v?(\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def launch_script(python: Path, program: Path) -> str:
    """A sh script that becomes a Python program; the paths may contain anything."""
    return f'#!/bin/sh\nexec {shlex.quote(str(python))} -u {shlex.quote(str(program))} "$@"\n'


def _own() -> Toolchain | None:
    """The person's own Pulumi, not one of ours that `./lab env` has put on the PATH."""
    ours = (cache().resolve(), STATE.resolve())
    folders = [
        entry
        for entry in os.environ.get("PATH", "").split(os.pathsep)
        if entry and not _in(Path(entry), ours) and not _of_a_checkout(Path(entry))
    ]
    found = shutil.which("pulumi", path=os.pathsep.join(folders))
    if found is None or _in(Path(found), ours):
        return None
    says = release.version_of(found)
    version = parse_version(says.output) if says.ok else None
    if version is None or version < OLDEST:
        return None
    given = os.environ.get("PULUMI_HOME")
    home = Path(given) if given and not _in(Path(given), ours) else Path.home() / ".pulumi"
    complete = Path(found).resolve().with_name(_HOST).exists() or shutil.which(_HOST, path=os.pathsep.join(folders))
    return Toolchain(
        pulumi=Path(found),
        version=".".join(map(str, version)),
        origin="path",
        path_dirs=() if complete else (_write_scripts(),),
        env={"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1"},
    )


def _release(program: Path | None) -> Toolchain | None:
    if program is None:
        return None
    return Toolchain(program, VERSION, "official", (program.parent,), _own_env(release.home()))


def _built(program: Path, home: Path) -> Toolchain:
    folder = _write_scripts()
    own = folder / "pulumi"
    _link(program, own)
    return Toolchain(own, VERSION, "built", (folder,), _built_env(home))


def _with_plugins(candidate: Toolchain, home: Path) -> Toolchain:
    return Toolchain(candidate.pulumi, candidate.version, candidate.origin, candidate.path_dirs, _built_env(home))


def _own_env(home: Path) -> dict[str, str]:
    """Of a home in our cache, where nobody would look for the logs that Pulumi keeps of each command."""
    logs_mb = os.environ.get(_LOGS, "50")
    return {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1", _LOGS: logs_mb}


def _built_env(home: Path) -> dict[str, str]:
    """Where the plugins can't be downloaded, Pulumi must not try: it would wait for hosts that don't answer."""
    return {
        **_own_env(home),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "1",
    }


def _in(path: Path, folders: tuple[Path, ...]) -> bool:
    real = path.resolve()
    return any(real == folder or folder in real.parents for folder in folders)


def _of_a_checkout(folder: Path) -> bool:
    """Whether this is the folder of programs of some checkout, put on the PATH by its `./lab env`."""
    try:
        return _SCRIPTS[_HOST] in (folder / _HOST).read_text(errors="replace", encoding="utf-8")
    except OSError:
        return False


def _write_scripts() -> Path:
    """Our language host and dynamic provider as programs, run by this checkout's Python."""
    folder = STATE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in _SCRIPTS.items():
        text = launch_script(VENV / "bin" / "python", CHECKOUT / "toolchain" / program)
        file = folder / name
        if file.is_file() and file.read_text(encoding="utf-8") == text and os.access(file, os.X_OK):
            continue
        write_whole(file, text, mode=0o755)
    return folder


def _link(program: Path, own: Path) -> None:
    """Put the CLI beside our scripts: it warns of a language host that lies elsewhere, and sees through symlinks."""
    if own.is_file():
        here, there = own.stat(), program.stat()
        if (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
            return
    with draft_of(own) as draft:
        draft.unlink(missing_ok=True)
        try:
            os.link(program, draft)
        except OSError:  # another file system
            shutil.copy2(program, draft)
