"""apt-get as root: bounded, and with what this machine has; a package source that is broken is told and passed by."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labkit.setup import _apt_says, _downloads
from labkit.system import root, shell
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Progress

_UPDATE_S = 300
_INSTALL_S = 900
_QUERY_S = 30
_LOCKED_S = 120.0
_BOUNDS = (
    *("-o", f"DPkg::Lock::Timeout={_LOCKED_S:.0f}"),
    *("-o", "Acquire::Retries=2"),
    *("-o", "Acquire::http::Timeout=20"),
    *("-o", "Acquire::https::Timeout=20"),
)
_SOURCES = Path("/etc/apt/sources.list.d")
_LEFT_OUT_MOST = 5
_UMASK = 0o022
"""What apt's user _apt and everybody else must be able to read is not left to the umask of who starts it."""


class Apt:
    """apt-get with the package sources that can be read; see `with_readable_sources`."""

    def __init__(self, progress: Progress, options: Sequence[str]) -> None:
        self._progress = progress
        self._options = (*_BOUNDS, *options)
        self._proxies = _downloads.here()

    def update(self) -> None:
        """Read the package lists. Sources that cannot be read are told by name: the others may have all there is to."""
        deadline = time.monotonic() + _LOCKED_S
        with self._progress.step("Reading Debian's package lists"):
            outcome = self._run(["update"], _UPDATE_S)
            # Other than dpkg's, the lock of the lists is not waited for by apt itself.
            while not outcome.ok and _apt_says.fault(outcome.output).kind == "lock" and time.monotonic() < deadline:
                self._progress.detail(_apt_says.fault(outcome.output).said)
                time.sleep(2)
                outcome = self._run(["update"], _UPDATE_S)
        for address, said in _apt_says.broken_sources(outcome.output).items():
            self._progress.line(f"The package source {address} cannot be read: {said}")
        if not outcome.ok:
            self._progress.line(
                f"Going on with the package lists that there are ({_apt_says.fault(outcome.output).said})"
            )

    def install(self, names: Sequence[str]) -> _apt_says.Fault | None:
        """Install packages; why not, if that fails."""
        with self._progress.step(f"Installing {', '.join(names)}"):
            outcome = self._run(["install", "-y", "--no-install-recommends", *names], _INSTALL_S)
        if outcome.timed_out:
            return _apt_says.Fault("slow", outcome.ending, f"It {outcome.ending}", "look into the log")
        return None if outcome.ok else _apt_says.fault(outcome.output)

    def has(self, name: str) -> bool:
        """Whether Debian's lists have a package of this name."""
        words = ["apt-cache", *self._options, "show", "--no-all-versions", name]
        answer = shell.run(words, timeout_s=_QUERY_S, check=False)
        return answer.ok and answer.output.startswith("Package:")

    def _run(self, words: Sequence[str], timeout_s: float) -> Outcome:
        env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_MODE": "l", **self._proxies}
        if not Path("/run/systemd/system").exists():
            # Without systemd a package's start script may half-start its service; the engine is started by us instead.
            env["RUNLEVEL"] = "1"
        command = ["apt-get", *self._options, *words]
        return root.run(command, timeout_s=timeout_s, env=env, umask=_UMASK, on_line=self._progress.detail, check=False)


@contextmanager
def with_readable_sources(progress: Progress, sources: Path = _SOURCES) -> Iterator[Apt]:
    """apt without those files of sources because of which it would read none at all. They stay as they are."""
    out: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="vvc-sources-") as folder:
        parts = Path(folder)
        parts.chmod(0o755)
        options = _reading(sources, sources.with_suffix(""))
        for _ in range(_LEFT_OUT_MOST):
            words = ["apt-get", *options, "update", "--print-uris"]
            asked = shell.run(words, timeout_s=_QUERY_S, env={"LC_ALL": "C"}, check=False)
            new = set() if asked.ok else culprits(asked.output, sources) - out
            if not new:
                break
            for file in sorted(new):
                progress.line(f"Left out: the package source {file}: {_apt_says.fault(asked.output).said}")
            out |= new
            options = _without(out, sources, parts)
        yield Apt(progress, options)


def culprits(output: str, sources: Path) -> set[str]:
    """Files of package sources that apt complains of, by name or by an address that stands in them."""
    named, addresses = _apt_says.unreadable_sources(output)
    # A file may be named by its copy's path; of the main file of sources there is none.
    main = sources.with_suffix("")
    files = {file if Path(file) == main else str(sources / Path(file).name) for file in named}
    for file in sorted(sources.glob("*")) if addresses else []:
        try:
            text = file.read_text(errors="replace", encoding="utf-8")
        except OSError:
            continue
        files |= {str(file)} if any(address.rstrip("/") in text for address in addresses) else set()
    return files


def _without(out: set[str], sources: Path, parts: Path) -> list[str]:
    """Options of apt that name a folder with copies of all other files."""
    for file in sources.glob("*"):
        copy = parts / file.name
        if str(file) in out:
            copy.unlink(missing_ok=True)
        elif not copy.exists():
            try:
                shutil.copyfile(file, copy)
            except OSError as error:
                raise LabError(f"{file}: {error.strerror}", hint=f"sudo chmod a+r {file}") from error
    main = sources.with_suffix("")
    return _reading(parts, Path("/dev/null") if str(main) in out else main)


def _reading(parts: Path, main: Path) -> list[str]:
    return ["-o", f"Dir::Etc::SourceParts={parts}/", "-o", f"Dir::Etc::SourceList={main}"]
