"""What a child process gets of the person's shell: what is named, and nothing else."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra import environment
from tests.unit.sources import parsed

ROOT = Path(__file__).parents[2]
SOURCES = [file for room in ("infra", "bench", "labkit", "labs") for file in sorted((ROOT / room).rglob("*.py"))]
OF_THE_MODULE = re.compile(r"\b(environment\.\w+|gets|for_\w+)\(")
STARTS = {"run", "Popen", "call", "check_call", "check_output"}

SHELL = dict(
    word.split("=", 1)
    for word in re.split(
        r"\s+",
        """
    HOME=/home/kim PATH=/bin TERM=xterm VVC_CACHE=/c TMPDIR=/t
    LANG=de_DE.ISO-8859-1 LC_ALL=C LC_CTYPE=xx_XX LANGUAGE=de
    http_proxy=http://p:1 ALL_PROXY=socks5://p:2 NO_PROXY=10.0.0.0/8 SSL_CERT_FILE=/ca
    ANSIBLE_RUN_TAGS=x ANSIBLE_BECOME=1 ANSIBLE_STRATEGY=free ANSIBLE_NEVER_HEARD_OF=1 MITOGEN_DUMP_THREAD_STACKS=1
    DOCKER_CONTEXT=far DOCKER_TLS_VERIFY=1 DOCKER_API_VERSION=1.24 DOCKER_CONFIG=/x BUILDKIT_HOST=x
    PULUMI_STACK=x PULUMI_CONFIG_PASSPHRASE_FILE=/x PULUMI_OPTION_REFRESH=true PULUMI_ACCESS_TOKEN=x
    PYTHONSTARTUP=/x PYTHONWARNINGS=error PYTHONOPTIMIZE=2 PYTHONINSPECT=1 PYTHONUTF8=0
    LIBVIRT_DEFAULT_URI=x GIT_DIR=/x GIT_INDEX_FILE=/x SSH_AUTH_SOCK=/x SSH_ASKPASS=/x LD_PRELOAD=/x
    PIP_USER=1 PIP_TARGET=/x PIP_INDEX_URL=http://i GOPROXY=http://g GOFLAGS=-mod=vendor
    BASH_ENV=/x ENV=/x CDPATH=/ GREP_OPTIONS=x LS_COLORS=x TAR_OPTIONS=-v GZIP=-9""".strip(),
    )
)
"""Of someone who does much else with this machine."""

KINDS = {
    environment.plain: set(),
    environment.for_python: set(),
    environment.for_ansible: set(),
    environment.for_pulumi: set(),
    environment.for_git: set(),
    environment.for_download: {"http_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"},
    environment.for_pip: {"http_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "PIP_INDEX_URL"},
    environment.for_go: {"http_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "GOPROXY"},
}


@pytest.mark.parametrize(("gets", "more"), KINDS.items(), ids=[kind.__name__ for kind in KINDS])
def test_what_gets_through_is_named(gets: environment.Gets, more: set[str]) -> None:
    """Of all that a shell may hold."""
    told = gets(SHELL)
    through = {name for name, value in told.items() if SHELL.get(name) == value}
    assert through == {"HOME", "PATH", "TERM", "VVC_CACHE", "TMPDIR"} | more
    assert (told["LC_ALL"], told["PYTHONUTF8"]) == ("C.UTF-8", "1")
    assert "LANG" not in told


def test_what_a_person_types_has_all_of_theirs_but_what_misleads_pulumi() -> None:
    """As after `eval "$(./lab env)"`."""
    told = environment.of_person(SHELL, {"PULUMI_HOME": "/p", "DOCKER_HOST": "unix:///e"})
    assert {"LANG", "http_proxy", "ANSIBLE_BECOME", "SSH_AUTH_SOCK", "GIT_DIR", "PIP_USER"} <= told.keys()
    assert told["PULUMI_HOME"] == "/p"
    assert not {"DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "PULUMI_STACK", "PULUMI_OPTION_REFRESH"} & told.keys()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "10.0.0.0/8, corp"}, "10.0.0.0/8,corp,127.0.0.1,localhost"),
        ({"no_proxy": "a,127.0.0.1,localhost"}, "a,127.0.0.1,localhost"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_loopback_is_added_to_the_persons_exceptions(given: dict[str, str], told: str) -> None:
    """To both spellings, and a second time changes nothing."""
    once = environment.straight(given)
    assert (once["no_proxy"], once["NO_PROXY"]) == (told, told)
    assert once["no_grpc_proxy"] == "127.0.0.1,localhost"
    assert environment.straight({**given, **once}) == once


def _starts(tree: ast.AST) -> list[ast.Call]:
    """Calls of subprocess that start a program, by whatever name the module was imported."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in STARTS
             and isinstance(node.func.value, ast.Name) and node.func.value.id == "subprocess")
            or (isinstance(node.func, ast.Attribute) and node.func.attr.startswith(("exec", "spawn", "posix_spawn"))
                and isinstance(node.func.value, ast.Name) and node.func.value.id == "os")
            or (isinstance(node.func, ast.Attribute) and node.func.attr in {"system", "popen"}
                and isinstance(node.func.value, ast.Name) and node.func.value.id == "os")
        )
    ]  # fmt: skip


def test_every_program_that_is_started_gets_its_environment_from_the_module() -> None:
    """So that new code cannot forget it: an argument `env` that is a call of infra.environment, or of `gets`."""
    wrong = []
    for file in SOURCES:
        for call in _starts(parsed(file)):
            given = next((ast.unparse(word.value) for word in call.keywords if word.arg == "env"), "")
            if not OF_THE_MODULE.search(given):
                wrong.append(f"{file.relative_to(ROOT)}:{call.lineno}: env={given or 'not given'}")
    assert not wrong


def test_nobody_imports_a_way_around_it() -> None:
    """`from subprocess import run` and the like would not be seen."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(parsed(file))
        if (isinstance(node, ast.ImportFrom) and node.module == "subprocess")
        or (isinstance(node, ast.Import) and any(name.name == "subprocess" and name.asname for name in node.names))
    ]
    assert not wrong


def test_nobody_hands_on_the_whole_environment() -> None:
    """`os.environ` is spread into another mapping nowhere."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Dict)
        and any(
            key is None and ast.unparse(value) == "os.environ"
            for key, value in zip(node.keys, node.values, strict=True)
        )
    ]
    assert not wrong


def test_files_name_their_encoding() -> None:
    """Else the person's locale would choose it. One rule of ruff that is not stable yet."""
    words = ["ruff", "check", "--preview", "--select", "PLW1514", "--no-cache", "."]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout


def test_pipes_name_their_encoding_and_survive_other_bytes() -> None:
    """A program may print in whatever it likes; that is never an error of ours."""
    wrong = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in SOURCES
        for call in _starts(parsed(file))
        if (given := {word.arg for word in call.keywords}) & {"text", "universal_newlines"}
        and not {"encoding", "errors"} <= given
    ]
    assert not wrong
