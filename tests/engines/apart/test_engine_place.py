"""Engines that answer and cannot carry servers: in another network namespace, or without our files."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra import engine_place
from infra.listening import listens
from labkit.setup.docker import engine
from labkit.setup.docker.private import DATA_VARIABLE, RUN_VARIABLE, Folders
from labkit.system.paths import CHECKOUT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(200)]

START_S = 60.0
Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a dockerd with folders of its own, in new namespaces and after some commands; gives its URL."""
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="vvc-p-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder)

        def run(*namespaces: str, first: str = "true") -> str:
            flags = (
                f"--data-root={home}/data",
                f"--exec-root={home}/x",
                f"--pidfile={home}/pid",
                f"-H=unix://{home}/s",
            )
            (home / "daemon.json").write_text("{}", encoding="utf-8")
            script = f'{first}; exec dockerd --config-file={home}/daemon.json "$@"'
            words = ["unshare", *namespaces, "sh", "-ec", script, "sh", *flags]
            with (home / "log").open("wb") as log:
                started.append(subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True))
            deadline = time.monotonic() + START_S
            while not listens(home / "s"):
                assert time.monotonic() < deadline, (home / "log").read_text(encoding="utf-8")[-2000:]
                assert started[-1].poll() is None, (home / "log").read_text(encoding="utf-8")[-2000:]
                time.sleep(0.2)
            return f"unix://{home}/s"

        try:
            yield run
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)


def test_an_engine_in_another_network_namespace_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and at once: its bridges are where no lab can be reached."""
    host = start("-n", "-m", first="ip link set lo up")
    monkeypatch.setenv("DOCKER_HOST", host)
    begin = time.monotonic()
    with pytest.raises(engine.ElsewhereError, match="runs in another network namespace") as refused:
        engine.connect()
    assert time.monotonic() - begin < 30
    assert host in refused.value.problem
    assert refused.value.hint.startswith("unset DOCKER_HOST")


def test_one_found_by_itself_gives_way_to_the_private_one(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is told; the private engine is the one that runs here, or the one that set-up would start."""
    host = start("-n", "-m", first="ip link set lo up")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_context_host", lambda: "")
    monkeypatch.setattr(engine, "DEFAULT_HOST", host)
    found, passed = engine.find()
    assert f"at {host} cannot carry local servers" in passed
    assert found is None or found.private

    monkeypatch.setenv(DATA_VARIABLE, "/nowhere/data")
    monkeypatch.setenv(RUN_VARIABLE, "/nowhere/run")
    assert Folders.here().host == "unix:///nowhere/run/docker.sock"
    assert engine.find()[0] is None
    assert not engine.answers(), "so set-up brings what a private engine needs"


def test_an_engine_without_our_files_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a snap, or one whose unit hides the homes. In its own network too, as two would take each other's."""
    host = start("-n", "-m", first=f"ip link set lo up; mount -t tmpfs none {shlex.quote(str(CHECKOUT))}")
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setattr(engine_place, "_elsewhere", lambda _peer: False)
    monkeypatch.setattr(engine_place, "_unseen_interfaces", lambda _client: [])
    with pytest.raises(engine.ElsewhereError, match="it does not see the files in") as refused:
        engine.connect()
    assert str(CHECKOUT) in refused.value.problem
