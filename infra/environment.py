"""What each program that we start gets of the person's environment, and what it gets from us. Pure.

A shell is full of settings for other work. What is let through is named here, for one kind of program a function; all
else stays out, whatever its name. Each takes the person's environment and what the caller adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Gets = Callable[[Mapping[str, str]], dict[str, str]]
"""One of the functions here: the environment of a program, made of the person's."""

OWN_PREFIX = "VVC_"
"""Of this project's own variables, which all its programs get."""

PERSON = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "TERM", "COLORTERM", "NO_COLOR", "TZ", "TMPDIR", "XDG_CACHE_HOME")
"""Who and where: every program gets these."""

PROXIES = tuple(
    name
    for lower in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
    for name in (lower, lower.upper())
)
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NIX_SSL_CERT_FILE")
"""With PROXIES what a program needs that downloads, and nobody else gets."""

PIP = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "PIP_KEYRING_PROVIDER",
    "PIP_CONFIG_FILE",
)
"""Where packages come from. The launcher lets the same ones through."""

GO = ("GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE", "GOENV", "GOAUTH")
"""Where modules come from."""

PYTHON = ("LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
"""What our own interpreter may need: it has started in the same."""

OURS = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
"""Every program writes and reads UTF-8, whatever locale the machine has or lacks."""

LOOPBACK = ("127.0.0.1", "localhost")
NO_GRPC_PROXY = {"no_grpc_proxy": ",".join(LOOPBACK)}
"""Pulumi, its plugins and its program speak gRPC with one another on this machine."""

_GIT_SETTINGS = {
    "safe.directory": "*",
    "color.ui": "false",
    "core.fsmonitor": "false",
    "log.showSignature": "false",
    "status.showUntrackedFiles": "normal",
}
"""What a person's own may change in the output that we read."""

_OF_TESTS = ("CI", "PYTEST_ADDOPTS", "MYPY_CACHE_DIR", "RUFF_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY")
_IN_PULUMIS_WAY = ("PULUMI_", "DOCKER_", "BUILDKIT_", "LIBVIRT_", "PYTHON", "GRPC_", "TF_LOG", "VIRSH_")
_HARMLESS = {"PULUMI_ACCESS_TOKEN", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"}


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Of a program that works on this machine: ssh, virsh, iptables, the docker CLI, sh."""
    # Docker's CLI keeps its own settings (proxies for containers, a context) in a folder; it reads none that is empty.
    return {**_named(environ, PERSON), **OURS, "DOCKER_CONFIG": "/var/empty"}


def for_engine(environ: Mapping[str, str]) -> dict[str, str]:
    """Of an engine, which outlives whoever starts it: their folder for temporary files may be gone before it is."""
    return {name: value for name, value in plain(environ).items() if name != "TMPDIR"}


def for_python(environ: Mapping[str, str]) -> dict[str, str]:
    """Of our own Python: the prober, a page in a process of its own, the playbook's worker."""
    return {**_named(environ, PYTHON), **plain(environ)}


def for_ansible(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the playbook's worker, which hands it on to Ansible: no setting of another Ansible, no agent's keys."""
    return for_python(environ)


def for_pulumi(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the CLI, its plugins and the program; it downloads nothing. What is its own: labkit.lifecycle.pulumi."""
    return {**for_python(environ), **NO_GRPC_PROXY}


def for_git(environ: Mapping[str, str]) -> dict[str, str]:
    """Of a git that is asked about this checkout, in a hook of another repository too."""
    pairs = {
        name: value
        for number, setting in enumerate(_GIT_SETTINGS.items())
        for name, value in zip((f"GIT_CONFIG_KEY_{number}", f"GIT_CONFIG_VALUE_{number}"), setting, strict=True)
    }
    count = {"GIT_CONFIG_COUNT": str(len(_GIT_SETTINGS))}
    return {**plain(environ), **count, **pairs, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def for_download(environ: Mapping[str, str]) -> dict[str, str]:
    """Of a program that fetches something: apt, mmdebstrap, `pulumi plugin install`, dockerd."""
    return {**_named(environ, (*PROXIES, *CERTIFICATES)), **plain(environ)}


def for_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Of pip: the person's index, and none of what says where or how to install."""
    own = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**_named(environ, (*PYTHON, *PIP)), **for_download(environ), **own}


def for_go(environ: Mapping[str, str]) -> dict[str, str]:
    """Of Go: the person's module proxy."""
    return {**_named(environ, GO), **for_download(environ)}


def for_tests(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the suite, which asks loopback much and downloads little."""
    return {**for_pip(environ), **for_go(environ), **_named(environ, _OF_TESTS), **straight(environ)}


def of_person(environ: Mapping[str, str], exports: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of what the person types, such as a guide's fence: all of theirs, as after `eval "$(./lab env)"`."""
    exports = exports or {}
    unset = set(in_pulumis_way(environ, exports))
    return {**{name: value for name, value in environ.items() if name not in unset}, **exports}


def in_pulumis_way(environ: Mapping[str, str], exports: Iterable[str]) -> list[str]:
    """Names of the person's variables that plain `pulumi` must not see, in order; what we export is no such one."""
    kept = {*exports, *_HARMLESS, *OURS}
    return sorted(name for name in environ if name.startswith(_IN_PULUMIS_WAY) and name not in kept)


def straight(environ: Mapping[str, str], networks: Iterable[str] = ()) -> dict[str, str]:
    """The variables with which a program asks loopback, and these networks, without the person's proxy."""
    told = {}
    for name, other in (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy")):
        given = environ.get(name, environ.get(other, "")).strip()
        listed = [part.strip() for part in given.split(",") if part.strip()]
        # A lone asterisk means every address, and nothing beside others.
        told[name] = given if given == "*" else ",".join(dict.fromkeys([*listed, *LOOPBACK, *networks]))
    return {**told, **NO_GRPC_PROXY}


def _named(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    wanted = {*names}
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(OWN_PREFIX)}
