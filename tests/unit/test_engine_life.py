"""What serves dynamic resources ends with Pulumi's engine, and two workers are never in one guest at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra import engine_life, guest_lock, playbook
from labkit.system import processes
from labkit.system.waiting import until

ROOT = Path(__file__).parents[2]

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2
""".splitlines()


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["/x/pulumi/dynamic/__main__.py", "127.0.0.1:40123"], 40123),
        (["-m", "-logtostderr", "127.0.0.1:1"], 1),
        (["pytest", "tests/unit"], None),
        (["x", "10.0.0.1:80"], None),
        ([], None),
    ],
)
def test_the_engine_is_the_last_word(words: list[str], port: int | None) -> None:
    assert engine_life.port(words) == port


@pytest.mark.parametrize(("port", "listens"), [(8080, True), (8081, False), (8082, False), (80, False)])
def test_only_a_socket_that_listens_is_an_engine(port: int, listens: bool) -> None:
    """One that is connected, or a heading, is none."""
    assert engine_life.listens(port, TABLE) is listens


PROVIDER = """
import sys, time
from infra import engine_life
engine_life.hold()
engine_life.hold()
print("held", flush=True)
time.sleep(60)
"""


def test_a_provider_ends_with_its_engine_though_its_parent_lives_on() -> None:
    """As with the official script, which stays between the two. While the engine listens it lives."""
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        words = [sys.executable, "-c", PROVIDER, address]
        provider = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        with provider:
            try:
                assert provider.stdout is not None
                assert provider.stdout.readline() == "held\n"
                with pytest.raises(subprocess.TimeoutExpired):
                    provider.wait(1.5)
                engine.close()
                assert provider.wait(10) == 1
            finally:
                provider.kill()


HOLDER = """
import sys, threading, time
from pathlib import Path
from infra import guest_lock
with guest_lock.held(Path(sys.argv[1]), "vm-1-playbook", threading.Event(), print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_worker_waits_says_for_whom_and_gives_up_in_time(tmp_path: Path) -> None:
    """And goes on as soon as the first one is gone, however that ended."""
    file, told = tmp_path / "a folder" / "vm-1-playbook.lock", list[str]()
    file.parent.mkdir()
    words = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8") as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            with (
                pytest.raises(guest_lock.HeldError, match=f"process {first.pid}; waited .* kill {first.pid}"),
                guest_lock.held(file, "vm-1-playbook", threading.Event(), told.append, within_s=0.5),
            ):
                pytest.fail("two hold it")
            assert told == [f"vm-1-playbook: waits for another run of it, process {first.pid}"]
            stop = threading.Event()
            stop.set()
            begin = time.monotonic()
            with pytest.raises(guest_lock.HeldError), guest_lock.held(file, "x", stop, told.append):
                pytest.fail("two hold it")
            assert time.monotonic() - begin < 5
            threading.Timer(0.5, lambda: os.kill(first.pid, signal.SIGKILL)).start()
            with guest_lock.held(file, "vm-1-playbook", threading.Event(), told.append, within_s=20):
                assert file.read_text(encoding="utf-8") == f"{os.getpid()}\n"
        finally:
            first.kill()


def test_a_worker_under_the_official_script_ends_when_the_engine_is_killed(tmp_path: Path) -> None:
    """Script, provider and worker: a shell that stays between the engine and its provider, as in the official tools."""
    key = tmp_path / "site.yml"
    key.write_text("- hosts: guests\n  tasks: []\n", encoding="utf-8")
    script = tmp_path / "pulumi-resource-pulumi-python"
    script.write_text(f'#!/bin/sh\n"{sys.executable}" -u -m pulumi.dynamic $@\nexit $?\n', encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as engine, socket.create_server(("127.0.0.1", 0)) as guest:
        words = ["/bin/sh", str(script), f"127.0.0.1:{engine.getsockname()[1]}"]
        with subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
        ) as shell:
            assert shell.stdout is not None
            port = int(shell.stdout.readline())
            try:
                call = _create(port, inputs(key, guest.getsockname()[1]))
                assert until(lambda: len(_lasting(shell.pid)) == 2, 60), (call, _below(shell.pid))
                lasting = _lasting(shell.pid)
                time.sleep(1.5)
                assert _lasting(shell.pid) == lasting, "it ended beside an engine that lives"
                engine.close()
                assert until(lambda: not any(map(processes.process, lasting)), 30), lasting
                shell.wait(10)
            finally:
                for pid in (shell.pid, *_below(shell.pid)):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def inputs(file: Path, port: int) -> dict[str, Any]:
    """Of a playbook whose guest never greets."""
    return {
        "name": "vm-1-playbook",
        "host": "127.0.0.1",
        "port": port,
        "user": "root",
        "private_key": str(file),
        "playbook": str(file),
        "variables": {},
        "digest": "x",
        "triggers": [],
        "timeout_s": 60,
        "ssh_timeout_s": 60,
        "log_dir": str(file.parent / "logs"),
        "hint": "",
        "console": [],
    }


def _create(port: int, properties: dict[str, Any]) -> Any:
    """Ask a provider to create a playbook, and do not wait for it."""
    request = provider_pb2.CreateRequest(urn="urn:pulumi:x::y::pulumi-python:dynamic/lab:Playbook::vm-1-playbook")
    request.properties.update({**properties, "__provider": serialize_provider(playbook._Provider())})
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
    return channel, provider_pb2_grpc.ResourceProviderStub(channel).Create.future(request, wait_for_ready=True)


def _lasting(pid: int) -> set[int]:
    """The provider and its worker. What the worker starts for a moment, to look at an interpreter, is neither."""
    providers = _children({pid}, "pulumi.dynamic")
    return providers | _children(providers, "infra.playbook_worker")


def _children(parents: set[int], module: str) -> set[int]:
    return {one.pid for one in processes.running() if one.parent in parents and module in one.words}


def _below(pid: int) -> set[int]:
    """Processes that a process, and those below it, have started."""
    children = {one.pid for one in processes.running() if one.parent == pid}
    return children | {grandchild for child in children for grandchild in _below(child)}
