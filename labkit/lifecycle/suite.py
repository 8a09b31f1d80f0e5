"""The place where ./lab test works: a copy of this checkout with state, runs and labs of its own, made and taken away.

Only what differs lies in it: git's objects, the Python packages and all caches stay where they are. A run that was
killed leaves it; the next one takes it away first, with whatever its tests had made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from infra import plan
from infra.checkout import identify
from infra.environment import for_python, for_tests
from infra.source import git
from labkit.lifecycle import suite_processes
from labkit.lifecycle.clean import elsewhere, remove_elsewhere
from labkit.setup.docker.engine import Engine
from labkit.system import mounts
from labkit.system.errors import LabError
from labkit.system.locks import held
from labkit.system.paths import STATE
from labkit.system.progress import Progress
from labkit.system.waiting import until

_git = partial(git, within_s=120)  # it copies as well
_VENV_S = 60
_WAIT_S = 6 * 3600
_TELL_S = 30
_REMOVAL_S = 20.0
_OWN = {".git", ".venv", ".state", "runs"}
"""What a checkout has of its own; at its top alone."""

_CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ansible"}
_NOT_IN_TEMPORARY = {".git", ".venv", *_CACHES}
_FILES = ("--junitxml", "--junit-xml", "--log-file", "--basetemp")
"""Options of pytest that name a file to write: where the person is, not in the copy."""

LANES = ("-n", "2", "--no-loadscope-reorder")
"""Tests on the copy's lab wait for engines and guests most of the time: all others run beside them. Which belong
together and which come first says tests/lanes.py."""

_PACKAGES = "lib/python3*/site-packages"
_FIRST = "packages_of"
"""File in a copy's .venv: the .venv in which the packages are."""

_STACK_FILES = "Pulumi.*.yaml"

_OF_A_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""A git hook has these; they would lead every git in the copy to the person's repository."""


@dataclass(frozen=True)
class Copy:
    """Where the tests work. `root` holds the copy, and a link to the folder of their temporary files."""

    root: Path

    @property
    def checkout(self) -> Path:
        """The copy."""
        return self.root / "checkout"

    @property
    def temporary(self) -> Path:
        """Link to the folder of temporary files, which is elsewhere: its path is short and below no git checkout."""
        return self.root / "tmp"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders below which all is the tests'."""
        return (self.root, self.temporary.resolve()) if self.temporary.is_symlink() else (self.root,)


PLACE = Copy(STATE / "test")


@contextmanager
def only_one(progress: Progress) -> Iterator[None]:
    """One ./lab test at a time in a checkout; another one waits, and says so."""
    told = [float("-inf")]

    def waiting() -> None:
        if time.monotonic() - told[0] > _TELL_S:
            told[0] = time.monotonic()
            progress.line("Waiting for another ./lab test of this checkout to end.")

    STATE.mkdir(exist_ok=True)
    too_long = LabError("Another ./lab test of this checkout has been at work for hours.", hint="end it by Ctrl-C")
    with held(STATE, _WAIT_S, too_long, waiting):
        yield


def is_left() -> bool:
    """Whether a killed ./lab test has left its place; not while one is at work."""
    if not PLACE.root.exists():
        return False
    try:
        with held(STATE, 0, LabError("one is at work", hint="wait until it has ended")):
            return True
    except LabError:
        return False


def clean(found: Engine | None, progress: Progress) -> None:
    """Take away what a killed ./lab test has left, if one has; not while one is at work."""
    if found is not None and is_left():
        progress.line("A ./lab test was killed: removing what it left.")
        remove(PLACE, found, progress)


def make(source: Path, place: Copy) -> None:
    """Make the place for the tests of the checkout `source`: copy, Python environment, folder for temporary files."""
    place.root.mkdir(parents=True)
    place.temporary.symlink_to(tempfile.mkdtemp(prefix=f"{plan.PREFIX}-test-"))
    copy(source, place.checkout)
    make_venv(source, place.checkout)


def copy(source: Path, target: Path) -> None:
    """The checkout's files as they are now, committed or not, with its history where git knows it.

    Only the settings of its labs are as committed: they are the person's labs'.
    """
    names = _known_to_git(source) if (source / ".git").exists() else None
    if names is None:
        everything = source.rglob("*")
        names = [one for file in everything if copied(one := file.relative_to(source)) and not _is_folder(file)]
        target.mkdir(parents=True)
    else:
        shallow = _git("-C", str(source), "rev-parse", "--is-shallow-repository").strip() == "true"
        # A clone that shares the objects of a shallow one does not know where its history ends.
        where = [f"file://{quote(str(source))}"] if shallow else ["--shared", str(source)]
        _git("clone", "--quiet", "--no-checkout", "--template=", *where, str(target))
        _git("-C", str(target), "read-tree", "HEAD", check=False)  # fails before the first commit
    for name in names:
        if os.path.lexists(source / name) and not _is_folder(source / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)
    # A subnet, say, that was set for the person's lab would be refused to the tests' while that one is up.
    if (target / ".git").exists():
        _git("-C", str(target), "checkout", "--quiet", "HEAD", "--", _STACK_FILES, check=False)


def copied(name: Path) -> bool:
    """Pure: whether a file, by its path in a checkout that git does not know, belongs to what is tested."""
    return name.parts[0] not in _OWN and not _CACHES.intersection(name.parts)


def make_venv(source: Path, target: Path) -> None:
    """A .venv for the copy that takes all packages from that of `source`, which runs this; its launcher accepts it."""
    venv, first = target / ".venv", source / ".venv"
    if (first / _FIRST).exists():  # the source is such a copy itself
        first = Path((first / _FIRST).read_text(encoding="utf-8"))
    words = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(words, env=for_python(os.environ), check=True, timeout=_VENV_S)
    (packages,) = venv.glob(_PACKAGES)
    (shared,) = first.glob(_PACKAGES)
    (packages / "vm_vs_container.pth").write_text(f"{target}\n{shared}\n", encoding="utf-8")
    (venv / _FIRST).write_text(str(first), encoding="utf-8")
    for program in (first / "bin").iterdir():
        own = venv / "bin" / program.name
        if os.path.lexists(own) or program.name.startswith(("python", "activate", "Activate")):
            continue
        if program.read_bytes().startswith(b"#!"):
            own.write_text(suite_processes.script(venv / "bin" / "python", program), encoding="utf-8")
            own.chmod(0o755)
        else:
            own.symlink_to(program)
    for stamp in first.glob("*.stamp"):
        shutil.copy(stamp, venv)
    (venv / "checkout").write_text(f"{target}\n", encoding="utf-8")


def environment(person: Mapping[str, str], source: Path, place: Copy) -> dict[str, str]:
    """What the tests get of the `person`'s environment: nothing that leads to labs or repositories of theirs.

    What makes the next run faster or finds a failure again is kept in the checkout `source`.
    """
    return {
        **_without_labs(person),
        **suite_processes.mark(place.checkout),
        "TMPDIR": str(place.temporary.resolve()),
        "MYPY_CACHE_DIR": str(source / ".mypy_cache"),
        "RUFF_CACHE_DIR": str(source / ".ruff_cache"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(source / ".hypothesis"),
    }


def for_unit(person: Mapping[str, str]) -> dict[str, str]:
    """What the tests get of the `person`'s environment that run in the checkout itself and need no engine."""
    return for_tests(_without_labs(person))


def _without_labs(person: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in person.items() if not key.startswith("PULUMI_") and key not in _OF_A_REPOSITORY
    }


def arguments(given: Sequence[str], person: Path, source: Path, place: Copy) -> list[str]:
    """Pure: pytest's arguments for the copy, of those typed in the folder `person` for the checkout `source`.

    Files to write are the person's; tests named by their absolute path are the copy's. Without any arguments the whole
    suite runs, in lanes.
    """
    found: list[str] = []
    for word in given:
        option, equals, value = word.partition("=")
        if equals and option in _FILES:
            found.append(f"{option}={person / value}")
        elif found and found[-1] in _FILES:
            found.append(str(person / word))
        elif word.startswith("/") and Path(word.partition("::")[0]).is_relative_to(source):
            found.append(str(place.checkout / Path(word).relative_to(source)))
        else:
            found.append(word)
    return ["-o", f"cache_dir={source / '.pytest_cache'}", *(found or LANES)]


def remove(place: Copy, found: Engine | None, progress: Progress) -> None:
    """Take the place away with all that its tests made: programs, objects on the engine, sockets, files.

    Raises LabError where something stays.
    """
    if not place.root.exists():
        return
    suite_processes.end(place.roots)
    stayed = [] if found is None else _remove_labs(place, found, progress)
    if stayed:
        raise LabError(f"Of the tests' labs is left: {'; '.join(stayed)}", hint="./lab clean")
    for folder in reversed(place.roots):
        mounts.unmount(folder)
        if not until(lambda folder=folder: _deleted(folder), _REMOVAL_S):  # type: ignore[misc] # folder is of this turn
            raise LabError(f"{folder} cannot be deleted.", hint=f"see who uses it: fuser -vm '{folder}'")


def checkouts(place: Copy) -> list[Path]:
    """The copy, and the checkouts that tests have made among their temporary files."""
    found = [place.checkout]
    for root in place.roots[1:]:
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if name not in _NOT_IN_TEMPORARY]
            if "lab" in files and (Path(folder) / "infra" / "plan.py").exists():
                found.append(Path(folder).resolve())
    return found


def _remove_labs(place: Copy, found: Engine, progress: Progress) -> list[str]:
    stayed: list[str] = []
    for identity in sorted({identify(one).id for one in checkouts(place)}):

        def gone(identity: str = identity) -> bool:
            # What a program that was ended had just asked of the engine may appear only now.
            stayed[:] = remove_elsewhere(identity, elsewhere(found).get(identity, []), progress)
            return not stayed and identity not in elsewhere(found)

        if not until(gone, _REMOVAL_S, 0.5):
            return stayed or [f"objects of checkout {identity}"]
    return []


def _deleted(folder: Path) -> bool:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return not folder.exists()
    except OSError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _known_to_git(source: Path) -> list[Path] | None:
    """Files that git has or would take, by their paths in the checkout; None where git cannot say."""
    try:
        told = _git("-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except (OSError, subprocess.SubprocessError):
        return None
    return sorted({Path(name) for name in told.split("\0") if name})
