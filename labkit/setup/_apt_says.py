"""What apt, mmdebstrap and their like say when they fail, in one sentence with what helps. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

CLASS_FILE = "bring a file from a machine where set-up works: there ./lab setup --export FILE, here --import FILE"
_PROXY = "if this network needs a proxy, name it: export http_proxy=… https_proxy=…; else check the network"


@dataclass(frozen=True)
class Fault:
    """Why it failed: the kind, the line that tells it, a sentence and what helps against this kind."""

    kind: str
    said: str
    sentence: str
    hint: str


@dataclass(frozen=True)
class _Kind:
    name: str
    pattern: re.Pattern[str]
    sentence: str
    hint: str


def _kind(name: str, pattern: str, sentence: str, hint: str) -> _Kind:
    return _Kind(name, re.compile(pattern, re.IGNORECASE), sentence, hint)


# The first that matches any line counts: what is told last is often only what follows from it.
_KINDS = (
    _kind("disk", r"No space left on device|(?:not|have) enough free space", "The disk is full",
          "free some space, or put the caches elsewhere: VVC_CACHE=FOLDER ./lab setup"),
    _kind("interrupted", r"dpkg was interrupted", "An installation on this machine was interrupted",
          "sudo dpkg --configure -a"),
    _kind("broken", r"Unmet dependencies|fix-broken|held broken packages", "Packages here do not fit together",
          "sudo apt-get --fix-broken install"),
    _kind("lock", r"Could not (?:get|open) lock|Unable to (?:acquire|lock)", "Another program is installing packages",
          "wait until it has ended; it is named above"),
    _kind("sources", r"list of sources could not be read|Malformed (?:entry|stanza|line)|Conflicting values set"
          r"|Type '.*' is not known", "A package source of this machine cannot be read",
          "mend the file that is named above, or move it away"),
    _kind("privileges", r"unable to pick chroot mode|not an effective uid|are you root|must be (?:run as )?root"
          r"|unshare.*(?:Operation not permitted|No space)|newuidmap", "Root, or user namespaces, are needed for this",
          CLASS_FILE),
    _kind("proxy", r"\b407\b|Proxy Authentication Required|proxy .*(?:refused|failed)|Invalid response from proxy",
          "The proxy refuses", "put the account into its address: export http_proxy=http://NAME:PASSWORD@HOST:PORT"),
    _kind("certificate", r"certificate verif|certificate is NOT trusted|CERTIFICATE_VERIFY_FAILED|x509:"
          r"|handshake failed|SSL routines", "A certificate is not one that this machine trusts",
          "name the certificates of your network: export SSL_CERT_FILE=FILE"),
    _kind("clock", r"is not valid yet|is expired|not yet valid", "The machine's clock and Debian's signatures disagree",
          "set the clock; see it: date -u"),
    _kind("signature", r"NO_PUBKEY|EXPKEYSIG|BADSIG|could ?n.t be verified|signatures? (?:were|was)"
          r"|Missing key|Signing key|keyring", "Debian's signatures cannot be checked",
          "sudo apt-get install --reinstall debian-archive-keyring"),
    _kind("name", r"Temporary failure (?:resolving|in name)|Could not resolve|Name or service not known|no such host"
          r"|Name resolution", "A name cannot be resolved", _PROXY),
    _kind("refused", r"\b(?:401|403|429|451|50[0-9])\b +\w+|Forbidden|toomanyrequests|Too Many Requests|denied:",
          "The server refuses", _PROXY),
    _kind("unreachable", r"Could not connect|Unable to connect|timed? ?out|Connection refused|is unreachable"
          r"|Connection reset|Connection failed|deadline exceeded|No route to host|(?<![\w-])EOF\b",
          "The server cannot be reached", _PROXY),
    _kind("gone", r"404 +Not Found|does not have a Release file|no longer has a Release file",
          "The server does not have it", _PROXY),
    # apt says so as well of a source of which it could not fetch the signature.
    _kind("signature", r"is not signed", "Debian's signatures cannot be checked",
          "sudo apt-get install --reinstall debian-archive-keyring"),
    _kind("unknown", r"Unable to locate package|has no installation candidate", "Debian's lists do not have it",
          "see which sources there are: apt-cache policy"),
    _kind("download", r"Failed to fetch|files failed to download", "A download failed", _PROXY),
)  # fmt: skip

OF_NETWORKS = {"proxy", "certificate", "name", "refused", "unreachable", "gone", "unknown", "download"}
"""Kinds that come from what a program had to download with."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_PREFIX = re.compile(r"^(?:(?:[EW]|error|Err:\d+|Error|fatal|ERROR|npm ERR!):?[: ]+)+", re.ASCII)
_WEAK = re.compile(
    r"files failed to download|returned a non-zero code|^E: (?:Sub-process|apt-get|setup failed|mmdebstrap|run_)"
    r"|^I: |^#|^\s*$",
    re.IGNORECASE,
)
_STRONG = re.compile(r"^E: |^Err:|error|fail|cannot|could not|unable|denied|refused", re.IGNORECASE)
_MOST = 300


def fault(output: str) -> Fault:
    """Why a program failed, from what it printed."""
    lines = [line for line in (plain(line) for line in output.splitlines()) if line]
    for kind in _KINDS:
        matching = [line for line in lines if kind.pattern.search(line)]
        if matching:
            said = _best(matching)
            return Fault(kind.name, said, f"{kind.sentence}: {said}", kind.hint)
    said = telling(output)
    return Fault("other", said, said, "read the log that is named below")


def telling(output: str) -> str:
    """The last line that tells something, without colours and prefixes."""
    lines = [line for line in (plain(line) for line in output.splitlines()) if line]
    return _best([line for line in lines if _STRONG.search(line)] or lines)


def plain(line: str) -> str:
    """A line without colours, and without what a carriage return has overwritten."""
    return _COLOURS.sub("", line).rstrip().rsplit("\r", 1)[-1].strip()


def _best(lines: list[str]) -> str:
    strong: list[Callable[[str], bool]] = [lambda line: not _WEAK.search(line), lambda _: True]
    chosen = next(
        (found[-1] for test in strong if (found := [line for line in lines if test(line)])), "it said nothing"
    )
    chosen = _PREFIX.sub("", chosen)
    return chosen if len(chosen) <= _MOST else f"{chosen[:_MOST]}…"


_SOURCE_FILE = re.compile(r"/[^\s:,()']+\.(?:list|sources)\b")
_REGARDING = re.compile(r"regarding source (\S+)")
_REPOSITORY = re.compile(
    r"(?:The repository '(?P<repository>\S+)|Failed to fetch (?P<fetch>\S+)|GPG error: (?P<gpg>\S+)"
    r"|^Err:\d+ (?P<err>\S+))"
)


def broken_sources(output: str) -> dict[str, str]:
    """Package sources that `apt-get update` could not read, by address, with what apt said of each."""
    found: dict[str, str] = {}
    for line in map(plain, output.splitlines()):
        if match := _REPOSITORY.search(line):
            address = next(part for part in match.groups() if part)
            # Of the addresses of its files only the beginning is the source's.
            found.setdefault(re.split(r"/(?:dists|pool)/|/InRelease|/Release|/Packages", address)[0].rstrip("/'"), line)
    return {address: _PREFIX.sub("", line)[:_MOST] for address, line in found.items()}


def unreadable_sources(output: str) -> tuple[set[str], set[str]]:
    """Files of package sources, and addresses in such files, because of which apt reads no source at all."""
    errors = [line for line in map(plain, output.splitlines()) if line.startswith("E:")]
    files = {file for line in errors for file in _SOURCE_FILE.findall(line)}
    return files, {address for line in errors for address in _REGARDING.findall(line)}
