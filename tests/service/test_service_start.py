"""How the service starts, refuses to start, and stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

from infra.answers import Service
from service.app import EXIT_SETTINGS
from service.settings import Release, Settings, SettingsError, read_release, read_settings
from tests.pace import at_once
from tests.service.running import CHECKOUT, COMMAND, entry, environment, replica, stored


def test_all_wrong_settings_are_reported_at_once_and_nothing_is_opened(data_dir: Path) -> None:
    wrong = {"VVC_SIDE": "docker", "VVC_REPLICA": "", "VVC_SERVER": "a b", "VVC_PORT": "65536", "VVC_HOST": "localhost"}
    ended = subprocess.run(
        COMMAND,
        env=environment(data_dir, **wrong),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        encoding="utf-8",
    )
    assert ended.returncode == EXIT_SETTINGS
    assert [line.split()[1] for line in ended.stderr.splitlines()] == [
        "VVC_REPLICA",
        "VVC_SERVER",
        "VVC_SIDE",
        "VVC_HOST",
        "VVC_PORT",
    ]
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("VVC_SIDE", "vms", "VVC_SIDE is 'vms': must be vm or container"),
        ("VVC_PORT", "\u0661", "VVC_PORT is '\u0661': must be a number from 0 to 65535"),
        ("VVC_HOST", "", "VVC_HOST is '': must be an IP address of this machine"),
        (
            "VVC_DATA_DIR",
            "relative",
            "VVC_DATA_DIR is 'relative': must be the absolute path of an existing directory",
        ),
        (
            "VVC_REPLICA",
            "-x",
            "VVC_REPLICA is '-x': must be 1 to 64 of A-Z a-z 0-9 . _ - and a letter or digit first",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_rule(
    data_dir: Path, variable: str, value: str, message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(environment(data_dir, **{variable: value}))
    assert raised.value.problems == [message]


def test_host_and_port_have_defaults(data_dir: Path) -> None:
    given = environment(data_dir)
    del given["VVC_HOST"], given["VVC_PORT"]
    assert read_settings(given) == Settings("vm-0", "vm", "server-0", data_dir, "0.0.0.0", 8000)


def test_a_release_is_read_and_a_missing_one_is_dev(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    assert read_release(path) == Release("dev", "")
    path.write_text(json.dumps({"version": "2", "commit": "abc"}), encoding="utf-8")
    assert read_release(path) == Release("2", "abc")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1"}'])
def test_a_damaged_release_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "release.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="must be like"):
        read_release(path)


def test_a_port_in_use_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            COMMAND,
            env=environment(data_dir, VVC_PORT=str(port)),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            encoding="utf-8",
        )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_the_request_under_way_end(data_dir: Path, sign: signal.Signals) -> None:
    with replica(data_dir) as running:
        answers: list[requests.Response] = []

        def work() -> None:
            with running.client() as client:
                answers.append(client.post("/work", json={"ms": 300}))

        with running.client() as client:
            assert client.post("/entries", json=entry(0)).status_code == 201
        before_s = _cpu_ticks(running.pid)
        thread = threading.Thread(target=work)
        thread.start()
        while _cpu_ticks(running.pid) < before_s + 10:
            time.sleep(0.01)
        running.process.send_signal(sign)
        assert running.process.wait(60) == 0
        thread.join(60)
        assert answers[0].status_code == 200
    assert not (data_dir / "entries.sqlite3-wal").exists()
    with replica(data_dir) as running, running.client() as client:
        assert stored(client) == [(0, "x")]


def test_endless_work_does_not_hold_up_a_stop(data_dir: Path) -> None:
    with replica(data_dir, expect_clean_log=False) as running:  # uvicorn logs what it has to break off
        thread = threading.Thread(target=_work_ignoring_the_answer, args=(running.url,))
        before_s = _cpu_ticks(running.pid)
        thread.start()
        while _cpu_ticks(running.pid) < before_s + 10:
            time.sleep(0.01)
        with at_once(8):
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(60) == 0
        thread.join(60)


def _work_ignoring_the_answer(url: str) -> None:
    with Service(url, 15) as client:
        try:
            client.post("/work", json={"ms": 10_000})
        except requests.RequestException:
            return


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
