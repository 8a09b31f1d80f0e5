"""What the service answers to good and to bad requests."""

from __future__ import annotations

import json
import os
import platform
import socket
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.answers import Service
from tests.service.running import PROBLEM, Replica, entry, stored

JSON = {"Content-Type": "application/json"}


def test_healthz_answers_ok_with_the_replica_in_the_headers(http: Service) -> None:
    answer = http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (answer.headers["VVC-Replica"], answer.headers["VVC-Server"]) == ("vm-0", "server-0")


def test_whoami_tells_who_answers_and_on_which_kernel(shared: Replica, http: Service) -> None:
    me = http.get("/whoami").json()
    assert {key: me[key] for key in ("replica", "side", "server", "version", "commit", "pid", "kernel_release")} == {
        "replica": "vm-0",
        "side": "vm",
        "server": "server-0",
        "version": "dev",
        "commit": "",
        "pid": shared.pid,
        "kernel_release": platform.release(),
    }
    assert me["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    assert 0 < me["started_boottime_s"] < me["listening_boottime_s"]
    assert me["started_at"].endswith("+00:00")


def test_a_repeated_write_is_answered_200_and_stored_once(http: Service) -> None:
    statuses = [http.post("/entries", json=entry(1, "once", "repeat")).status_code for _ in range(3)]
    assert statuses == [201, 200, 200]
    assert stored(http, "repeat") == [(1, "once")]


def test_concurrent_repeats_of_one_write_are_stored_once(shared: Replica) -> None:
    statuses: list[int] = []

    def write() -> None:
        with shared.client() as client:
            statuses.append(client.post("/entries", json=entry(1, "same", "race")).status_code)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200] * 7 + [201]


def test_another_payload_for_a_known_seq_is_a_conflict_and_changes_nothing(http: Service) -> None:
    http.post("/entries", json=entry(1, "first", "conflict"))
    answer = http.post("/entries", json=entry(1, "second", "conflict"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, PROBLEM)
    assert stored(http, "conflict") == [(1, "first")]


def test_pages_follow_each_other_without_gap_or_repeat(http: Service) -> None:
    for seq in range(5):
        http.post("/entries", json=entry(seq, f"p{seq}", "pages"))
    first = http.get("/entries", params={"client": "pages", "limit": "2"}).json()
    assert ([e["seq"] for e in first["entries"]], first["next"]) == ([0, 1], 1)
    last = http.get("/entries", params={"client": "pages", "limit": "4", "after": "1"}).json()
    assert ([e["seq"] for e in last["entries"]], last["next"]) == ([2, 3, 4], None)


def test_payload_and_seq_come_back_as_they_were_at_their_limits(http: Service) -> None:
    wanted = [(0, ""), (1, "ä€😀\x00\n"), (2**63 - 1, "x" * 4096)]
    for seq, payload in wanted:
        assert http.post("/entries", json=entry(seq, payload, "limits")).status_code == 201
    assert stored(http, "limits") == wanted


def test_work_uses_the_cpu_time_it_was_asked_for_and_others_are_answered_meanwhile(shared: Replica) -> None:
    done = threading.Event()
    answers: list[requests.Response] = []

    def work() -> None:
        with shared.client() as client:
            answers.append(client.post("/work", json={"ms": 800}, timeout=60))
        done.set()

    before_s = _cpu_s(shared.pid)
    thread = threading.Thread(target=work)
    thread.start()
    with shared.client() as client:
        meanwhile = 0
        while not done.is_set() and meanwhile < 5:
            meanwhile += client.get("/healthz").status_code == 200 and not done.is_set()
    thread.join(60)
    assert meanwhile == 5
    assert answers[0].status_code == 200
    assert 800 <= answers[0].json()["cpu_ms"] < 900
    assert _cpu_s(shared.pid) - before_s >= 0.75


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


BODIES: dict[str, tuple[str, bytes, int]] = {
    "empty": ("/entries", b"", 400),
    "not JSON": ("/entries", b"client=a", 400),
    "cut off": ("/entries", b'{"client":"a"', 400),
    "not UTF-8": ("/entries", b'{"client":"\xff"}', 400),
    "NaN": ("/work", b'{"ms":NaN}', 400),
    "an array": ("/entries", b"[]", 400),
    "nested beyond all measure": ("/entries", b"[" * 60_000, 400),
    "a number of 60000 digits": ("/work", b'{"ms":' + b"9" * 60_000 + b"}", 400),
    "no field": ("/entries", b"{}", 422),
    "a field too many": ("/entries", json.dumps({**entry(1), "more": 1}).encode(), 422),
    "a field that no header could carry": ("/work", b'{"ms":1,"\\ud800\\r\\n":1}', 422),
    "client is a number": ("/entries", b'{"client":1,"seq":1,"payload":""}', 422),
    "client is empty": ("/entries", json.dumps(entry(1, client="")).encode(), 422),
    "client has a slash": ("/entries", json.dumps(entry(1, client="a/b")).encode(), 422),
    "client ends in a line feed": ("/entries", json.dumps(entry(1, client="a\n")).encode(), 422),
    "client is long": ("/entries", json.dumps(entry(1, client="a" * 65)).encode(), 422),
    "seq is negative": ("/entries", json.dumps(entry(-1)).encode(), 422),
    "seq is beyond SQLite": ("/entries", json.dumps(entry(2**63)).encode(), 422),
    "seq is true": ("/entries", b'{"client":"a","seq":true,"payload":""}', 422),
    "seq is a fraction": ("/entries", b'{"client":"a","seq":1.0,"payload":""}', 422),
    "payload is an object": ("/entries", b'{"client":"a","seq":1,"payload":{}}', 422),
    "payload is a lone surrogate": ("/entries", b'{"client":"a","seq":1,"payload":"\\ud800"}', 422),
    "payload is long": ("/entries", json.dumps(entry(1, "x" * 4097)).encode(), 422),
    "body is long": ("/entries", b" " * (64 * 1024 + 1), 413),
    "work is negative": ("/work", b'{"ms":-1}', 422),
    "work is endless": ("/work", b'{"ms":10001}', 422),
    "work is text": ("/work", b'{"ms":"1"}', 422),
}


@pytest.mark.parametrize(("path", "body", "status"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused_with_a_problem(http: Service, path: str, body: bytes, status: int) -> None:
    _assert_problem(http.post(path, data=body, headers=JSON), status)


def test_a_long_body_without_a_length_is_refused_too(http: Service) -> None:
    _assert_problem(http.post("/entries", data=(b" " * 8192 for _ in range(9)), headers=JSON), 413)


REQUESTS: dict[str, tuple[str, str, int]] = {
    "unknown path": ("GET", "/nope", 404),
    "path with a slash too many": ("GET", "/entries/?client=a", 404),
    "path that is no text": ("GET", "/%ff%0d%0a", 404),
    "method": ("DELETE", "/entries", 405),
    "method of work": ("GET", "/work", 405),
    "no media type": ("POST", "/entries", 415),
    "no client": ("GET", "/entries", 422),
    "client": ("GET", "/entries?client=a%00b", 422),
    "after is text": ("GET", "/entries?client=a&after=x", 422),
    "after is negative": ("GET", "/entries?client=a&after=-2", 422),
    "after is beyond SQLite": ("GET", f"/entries?client=a&after={2**63}", 422),
    "after is in other digits": ("GET", "/entries?client=a&after=%EF%BC%91", 422),
    "limit is nothing": ("GET", "/entries?client=a&limit=0", 422),
    "limit is everything": ("GET", "/entries?client=a&limit=501", 422),
    "unknown parameter": ("GET", "/entries?client=a&%ff=1", 422),
}


@pytest.mark.parametrize(("method", "target", "status"), REQUESTS.values(), ids=REQUESTS)
def test_a_bad_request_is_refused_with_a_problem(http: Service, method: str, target: str, status: int) -> None:
    _assert_problem(http.request(method, target), status)


def test_all_wrong_fields_are_named_at_once(http: Service) -> None:
    answer = http.post("/entries", json={"client": "", "seq": -1, "payload": 3})
    assert [error["field"] for error in answer.json()["errors"]] == ["client", "seq", "payload"]


def test_a_refused_method_is_told_which_are_allowed(http: Service) -> None:
    assert "POST" in http.get("/work").headers["Allow"]


@pytest.mark.parametrize("raw", [b"\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: [\r\n\r\n"])
def test_what_is_hardly_http_is_answered_4xx(shared: Replica, raw: bytes) -> None:
    host, _, port = shared.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw)
        assert connection.recv(4096).startswith(b"HTTP/1.1 4")


ANY_JSON = st.recursive(
    # Not 21 to 10000: as `ms` those would really be worked for.
    st.none() | st.booleans() | st.integers(max_value=20) | st.integers(min_value=10_001) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("client", "seq", "payload", "ms"), ANY_JSON)
) | st.fixed_dictionaries({"client": st.text(min_size=1), "seq": st.integers(), "payload": st.text()})


@settings(max_examples=80, derandomize=True)
@given(path=st.sampled_from(["/entries", "/work"]), body=ANY_JSON | NEARLY_RIGHT)
def test_no_json_body_makes_the_service_fail(http: Service, path: str, body: Any) -> None:
    _assert_never_5xx(http.post(path, data=json.dumps(body).encode(), headers=JSON))


@settings(max_examples=50, derandomize=True)
@given(path=st.sampled_from(["/entries", "/work"]), body=st.binary(max_size=2000))
def test_no_bytes_make_the_service_fail(http: Service, path: str, body: bytes) -> None:
    _assert_never_5xx(http.post(path, data=body, headers=JSON))


@settings(max_examples=50, derandomize=True)
@given(client=st.text(), after=st.text() | st.integers().map(str), limit=st.text() | st.integers().map(str))
def test_no_query_makes_the_service_fail(http: Service, client: str, after: str, limit: str) -> None:
    _assert_never_5xx(http.get("/entries", params={"client": client, "after": after, "limit": limit}))


def test_a_client_that_goes_away_within_its_body_harms_nobody(shared: Replica, http: Service) -> None:
    host, _, port = shared.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = b"POST /entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        connection.sendall(head)
    client = uuid.uuid4().hex
    assert http.post("/entries", json=entry(0, client=client)).status_code == 201


def _assert_problem(answer: requests.Response, status: int) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


def _assert_never_5xx(answer: requests.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        _assert_problem(answer, answer.status_code)
