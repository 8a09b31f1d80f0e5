# ruff: noqa: E501 - what apt prints, as it prints it
"""Each way in which apt, mmdebstrap or a registry fails is told in one sentence, with what helps against it."""

from __future__ import annotations

import pytest

from labkit.setup import _apt_says

RESOLVE = """Ign:1 http://ftp.debian.org/debian trixie InRelease
Err:1 http://ftp.debian.org/debian trixie InRelease
  Temporary failure resolving 'ftp.debian.org'
Reading package lists...
E: Failed to fetch http://ftp.debian.org/debian/dists/trixie/InRelease  Temporary failure resolving 'ftp.debian.org'
E: Some index files failed to download. They have been ignored, or old ones used instead.
The command '/bin/sh -c apt-get update -q && apt-get install -y libvirt-daemon' returned a non-zero code: 100
"""

SAID = [
    (RESOLVE, "name", "Temporary failure resolving 'ftp.debian.org'", "http_proxy"),
    ("E: Failed to fetch http://x/y  407  Proxy Authentication Required [IP: 1.2.3.4 3128]", "proxy", "407", "NAME:PASS"),
    ("E: Failed to fetch http://x/y  Could not connect to 127.0.0.1:9 (127.0.0.1).", "unreachable", "127.0.0.1:9", "proxy"),
    ("E: Failed to fetch https://x/y  Certificate verification failed: The certificate is NOT trusted.",
     "certificate", "NOT trusted", "SSL_CERT_FILE"),
    ("E: Failed to fetch http://x/y  403  Forbidden [IP: 1.2.3.4 80]", "refused", "403", "proxy"),
    ("Err:1 http://x trixie InRelease\n  403  Forbidden [IP: 1.2.3.4 80]\n"
     "E: Failed to fetch http://x/dists/trixie/InRelease  403  Forbidden [IP: 1.2.3.4 80]\n"
     "E: The repository 'http://x trixie InRelease' is not signed.", "refused", "Failed to fetch", "proxy"),
    ("E: The repository 'http://x trixie InRelease' is not signed.", "signature", "is not signed", "keyring"),
    ("W: GPG error: http://x trixie InRelease: The following signatures couldn't be verified because the public key is "
     "not available: NO_PUBKEY 6ED0E7B82643E131\nE: The repository 'http://x trixie InRelease' is not signed.",
     "signature", "NO_PUBKEY", "debian-archive-keyring"),
    ("E: Release file for http://x/InRelease is not valid yet (invalid for another 3d 2h).", "clock", "not valid yet", "date"),
    ("dpkg: error: x: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
     "disk", "No space left", "VVC_CACHE"),
    ("E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem. ",
     "interrupted", "dpkg was interrupted", "sudo dpkg --configure -a"),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)",
     "lock", "process 4711 (unattended-upgr)", "wait until it has ended"),
    ("E: Unmet dependencies. Try 'apt --fix-broken install' with no packages", "broken", "Unmet", "--fix-broken install"),
    ("E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (Component)\n"
     "E: The list of sources could not be read.", "sources", "could not be read", "move it away"),
    ("I: automatically chosen mode: none\nE: unable to pick chroot mode automatically", "privileges", "chroot mode", "--import"),
    ("E: Unable to locate package mmdebstrap", "unknown", "mmdebstrap", "apt-cache policy"),
    ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "refused", "toomanyrequests", "proxy"),
    ('Get "https://registry.example/v2/": x509: certificate signed by unknown authority', "certificate", "x509", "SSL_CERT_FILE"),
    ('Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host', "name", "no such host", "network"),
    ("\x1b[31mError: a thing broke\x1b[0m\nThe command '/bin/sh -c x' returned a non-zero code: 3", "other", "a thing broke", "log"),
    ("", "other", "it said nothing", "log"),
]  # fmt: skip


@pytest.mark.parametrize(("output", "kind", "part", "hint"), SAID, ids=[f"{case[1]}-{case[2]}" for case in SAID])
def test_the_cause_is_told_in_one_line_with_what_helps(output: str, kind: str, part: str, hint: str) -> None:
    fault = _apt_says.fault(output)
    assert fault.kind == kind
    assert part in fault.said
    assert hint in fault.hint
    assert "\n" not in fault.sentence
    assert "\x1b" not in fault.sentence
    assert "/bin/sh -c" not in fault.sentence


def test_a_wall_is_cut() -> None:
    assert len(_apt_says.fault("E: " + "x" * 5000).sentence) < 400


def test_broken_sources_are_told_by_name() -> None:
    output = """Err:5 https://deb.nodesource.com/node_18.x nodistro Release
  404  Not Found [IP: 1.2.3.4 443]
W: GPG error: https://packages.example.com/apt stable InRelease: The following signatures couldn't be verified: NO_PUBKEY 1
E: The repository 'https://deb.nodesource.com/node_18.x nodistro Release' does not have a Release file.
E: Failed to fetch https://apt.example.org/dists/x/InRelease  Could not resolve 'apt.example.org'
"""
    found = _apt_says.broken_sources(output)
    assert set(found) == {
        "https://deb.nodesource.com/node_18.x",
        "https://packages.example.com/apt",
        "https://apt.example.org",
    }


def test_files_because_of_which_no_source_is_read() -> None:
    malformed = "E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (Suite)\nE: The list of sources could not be read."
    assert _apt_says.unreadable_sources(malformed) == ({"/etc/apt/sources.list.d/x.list"}, set())
    unknown = "E: Type 'foo' is not known on line 1 in source list /etc/apt/sources.list.d/y.list"
    assert _apt_says.unreadable_sources(unknown)[0] == {"/etc/apt/sources.list.d/y.list"}
    signed = (
        "E: Conflicting values set for option Signed-By regarding source https://z.example/linux stable: a.asc != b.gpg"
    )
    assert _apt_says.unreadable_sources(signed) == (set(), {"https://z.example/linux"})
