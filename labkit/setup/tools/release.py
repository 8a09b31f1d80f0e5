"""Pulumi's official release, fetched once at the pinned version and held against its checksums."""

from __future__ import annotations

import hashlib
import os
import platform
import tarfile
import tempfile
import threading
from pathlib import Path

import requests

from infra import environment
from labkit.setup import _downloads
from labkit.setup.tools.build import PLUGINS, VERSION, draft, folder, lock
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Progress

_REACH_S = 5.0
"""How long the download host may take to answer at all, names and connections included."""
_STALL_S = 30.0
_QUICK_S = 30
_PIECE = 2**20
_PLUGIN_S = 10 * 60
_ARCHITECTURES = {"x86_64": ("x64", "amd64"), "aarch64": ("arm64", "arm64")}
_AGAIN = "the download was cut short or changed on the way; look at the network: ./lab doctor"


def _base() -> str:
    return os.environ.get("VVC_PULUMI_RELEASES", "https://get.pulumi.com/releases").rstrip("/")


def folder_of_release() -> Path:
    """Where the fetched release lies, if it was fetched."""
    return folder() / f"release-v{VERSION}"


def ready() -> Path | None:
    """The release's `pulumi`, if it has been fetched."""
    program = folder_of_release() / "pulumi" / "pulumi"
    return program if program.is_file() else None


def home() -> Path:
    """PULUMI_HOME of the fetched release, where it keeps the official plugins."""
    return folder() / f"home-v{VERSION}"


def archive_name() -> str | None:
    """The release's file for this machine; None where there is none."""
    names = _ARCHITECTURES.get(platform.machine())
    return f"pulumi-v{VERSION}-linux-{names[0]}.tar.gz" if names else None


def ensure(progress: Progress) -> Path | None:
    """Fetch the release unless it is there. None when it can't be reached, told within 5 s.

    Raises LabError when what was fetched is not what the checksums say; nothing of it stays.
    """
    found = ready()
    name = archive_name()
    if found is not None or name is None:
        return found
    checksums = _text(f"{_base()}/sdk/pulumi-{VERSION}-checksums.txt")
    expected = checksum_of(checksums or "", name)
    if expected is None:
        progress.line("Pulumi's official release can't be reached from here")
        return None
    with lock(progress):
        if (found := ready()) is None:
            with progress.step(f"Fetching Pulumi {VERSION}"):
                found = _fetch(name, expected, progress)
    return found


def checksum_of(checksums: str, name: str) -> str | None:
    """The SHA-256 that a checksums file gives for a file; None if it has none (a proxy's page, say)."""
    for line in checksums.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == name and len(words[0]) == 64:  # noqa: PLR2004 - SHA-256
            return words[0].lower()
    return None


def official_plugins(pulumi: Path, pulumi_home: Path, progress: Progress) -> bool:
    """Whether Pulumi has the official plugins, having fetched them if they could be reached."""
    missing = {name: version for name, version in PLUGINS.items() if not has_plugin(pulumi_home, name)}
    for name, version in missing.items():
        if not _reaches(f"{_base()}/plugins/pulumi-resource-{name}-v{version}-linux-{_go_arch()}.tar.gz"):
            return False
        with progress.step(f"Fetching the Pulumi plugin {name} {version}"):
            outcome = shell.run(
                [pulumi, "plugin", "install", "resource", name, version],
                timeout_s=_PLUGIN_S,
                gets=environment.for_download,
                env={"PULUMI_HOME": str(pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "1"},
                on_line=progress.detail,
                check=False,
            )
        if not outcome.ok:
            progress.line(f"It could not be fetched: {outcome.ending}")
            return False
    return True


def has_plugin(pulumi_home: Path, name: str) -> bool:
    """Whether the plugin is installed there, and not half installed."""
    target = pulumi_home / "plugins" / f"resource-{name}-v{PLUGINS[name]}"
    return (target / f"pulumi-resource-{name}").is_file() and not target.with_name(f"{target.name}.partial").exists()


def version_of(program: str | Path) -> Outcome:
    """What `pulumi version` says. It keeps a log even of that command, which is not to lie in the person's home."""
    with tempfile.TemporaryDirectory(prefix="vvc-pulumi-") as aside:
        env = {"PULUMI_HOME": aside, "PULUMI_SKIP_UPDATE_CHECK": "1"}
        return shell.run([program, "version"], timeout_s=_QUICK_S, env=env, stdout_only=True, check=False)


def _go_arch() -> str:
    return _ARCHITECTURES.get(platform.machine(), ("", platform.machine()))[1]


def _fetch(name: str, expected: str, progress: Progress) -> Path:
    with draft(folder_of_release()) as new:
        archive = new / name
        _download(f"{_base()}/sdk/{name}", archive, progress)
        with archive.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != expected:
            raise LabError(f"{name} has the SHA-256 {actual}; its release says {expected}", hint=_AGAIN)
        try:
            with tarfile.open(archive) as tar:
                _unpack(tar, new)
        except tarfile.TarError as error:
            raise LabError(f"{name} cannot be unpacked: {error}", hint=_AGAIN) from error
        archive.unlink()
        program = new / "pulumi" / "pulumi"
        says = version_of(program).output
        if f"v{VERSION}" not in says:
            raise LabError(f"{name} contains version {says.strip()}", hint=_AGAIN)
    return folder_of_release() / "pulumi" / "pulumi"


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack files and folders below `folder`; raises TarError for anything else, such as a way out of it.

    Python's own filter "data" came with 3.11.4; Debian 12 has 3.11.2.
    """
    for member in tar.getmembers():
        inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not inside or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} is not a plain file or folder in it")
    if hasattr(tarfile, "data_filter"):
        tar.extraction_filter = tarfile.data_filter
    tar.extractall(folder)  # noqa: S202 - every member was looked at


def _download(url: str, target: Path, progress: Progress) -> None:
    try:
        with _request("GET", url, _STALL_S, stream=True) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                progress.detail(f"{file.tell() / 2**20:.0f} MiB")
    except requests.RequestException as error:
        raise LabError(f"The download of {url} broke off: {error}", hint=_AGAIN) from error


def _request(method: str, url: str, timeout_s: float, *, stream: bool = False) -> requests.Response:
    """Trusts what this machine trusts, a network's own certificates too; the person's proxy, not their .netrc."""
    trusted = _downloads.certificates(os.environ)
    verify = str(trusted) if trusted is not None else True
    return requests.request(method, url, timeout=timeout_s, verify=verify, stream=stream, auth=lambda asked: asked)


def _text(url: str) -> str | None:
    answer = _within("GET", url)
    return answer.text if answer is not None else None


def _reaches(url: str) -> bool:
    return _within("HEAD", url) is not None


def _within(method: str, url: str) -> requests.Response | None:
    """A small answer within the bound, or None. A thread, for the lookup of a name has no timeout of its own."""
    answers: list[requests.Response] = []

    def ask() -> None:
        try:
            answer = _request(method, url, _REACH_S)
        except (OSError, ValueError):
            return
        if answer.ok:
            answers.append(answer)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_REACH_S)
    return answers[0] if answers else None
