"""What downloads for us gets this machine's proxies and certificates, under every name that some program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkit.setup import _downloads


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"http_proxy": "http://p:1"}, {"http_proxy": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1"}, {"http_proxy": "http://p:1"}),
        ({"HTTP_PROXY": "http://big:1", "http_proxy": "http://small:1"}, {"http_proxy": "http://small:1"}),
        ({"HTTPS_PROXY": "http://p:1"}, {"https_proxy": "http://p:1"}),
        ({"http_proxy": "p:3128"}, {"http_proxy": "http://p:3128"}),
        ({"ALL_PROXY": "socks5://p:1080"}, {"http_proxy": "socks5h://p:1080", "https_proxy": "socks5h://p:1080"}),
        (
            {"all_proxy": "http://a:1", "HTTP_PROXY": "http://b:1", "NO_PROXY": "localhost,10.0.0.0/8"},
            {"http_proxy": "http://b:1", "https_proxy": "http://a:1", "no_proxy": "localhost,10.0.0.0/8"},
        ),
        ({"no_proxy": "localhost"}, {}),
        ({"http_proxy": "", "HTTP_PROXY": ""}, {}),
    ],
)
def test_proxies_of_a_shell_in_the_words_that_apt_takes(environ: dict[str, str], found: dict[str, str]) -> None:
    assert _downloads.proxies(environ) == found


def test_a_build_gets_them_in_both_cases() -> None:
    assert _downloads.both_cases({"http_proxy": "http://p:1"}) == {
        "http_proxy": "http://p:1",
        "HTTP_PROXY": "http://p:1",
    }


def test_proxies_that_only_apt_knows() -> None:
    """As a company's machine has them in apt.conf.d; what is for another host is not for Debian's."""
    dump = (
        'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy "http://cache:3142";\n'
        'Acquire::http::Proxy::download.docker.com "DIRECT";\nAcquire::https::Proxy "DIRECT";\n'
    )
    assert _downloads.of_apt(dump) == {"http_proxy": "http://cache:3142"}
    assert _downloads.of_apt(dump + 'Acquire::http::Proxy::ftp.debian.org "DIRECT";\n') == {}


def test_proxies_that_only_docker_knows() -> None:
    """The client's configuration, else the engine's own; not where the engine hides the password."""
    config = {"proxies": {"default": {"httpProxy": "http://client:1", "noProxy": "x"}}}
    info = {"HttpProxy": "http://engine:1", "HttpsProxy": "", "NoProxy": ""}
    assert _downloads.first([{}, *_downloads.of_docker(config, info)]) == {
        "http_proxy": "http://client:1",
        "no_proxy": "x",
    }
    assert _downloads.first([{}, *_downloads.of_docker({}, info)]) == {"http_proxy": "http://engine:1"}
    odd: Any
    for odd in ([], {"proxies": []}, {"proxies": {"default": "x"}}):
        assert _downloads.first(_downloads.of_docker(odd, info)) == {"http_proxy": "http://engine:1"}
    assert _downloads.first(_downloads.of_docker({}, {"HttpProxy": "http://xxxxx:xxxxx@engine:1"})) == {}
    assert _downloads.first([{"http_proxy": "http://shell:1"}, *_downloads.of_docker(config, info)]) == {
        "http_proxy": "http://shell:1"
    }


def test_the_persons_certificates_come_before_the_systems(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text("", encoding="utf-8")
    assert _downloads.certificates({"SSL_CERT_FILE": str(own)}) == own
    assert _downloads.certificates({"SSL_CERT_FILE": str(tmp_path / "none"), "REQUESTS_CA_BUNDLE": str(own)}) == own


def test_pip_gets_them_unless_the_person_names_others(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text("", encoding="utf-8")
    assert _downloads.trusting({"SSL_CERT_FILE": str(own)}) == {"REQUESTS_CA_BUNDLE": str(own)}
    assert _downloads.trusting({"SSL_CERT_FILE": str(own), "PIP_CERT": "/other"}) == {}


def test_a_proxys_password_is_not_shown() -> None:
    assert _downloads.shown({"http_proxy": "http://me:secret@p:1"}) == "the proxy http://…@p:1"
    assert _downloads.shown({}) == "no proxy"
