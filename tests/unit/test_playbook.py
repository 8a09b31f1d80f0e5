"""The Playbook resource and its worker, without a guest: events to counts, messages, bounds, what is a change."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from infra import bounds, last_lines, playbook, playbook_worker
from infra.playbook import _Provider
from infra.worker import events, ladder, marked
from infra.worker.events import Log, PlaybookError, Tally
from labkit.system.processes import alive

pytestmark = pytest.mark.slow


def event(kind: str, task: str = "A task", **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"task": task, "host": "vm-1", **data}}


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def tally(told: io.StringIO) -> Tally:
    return Tally(Log(told, io.StringIO()))


def test_one_line_a_task_and_counts_by_outcome(tally: Tally, told: io.StringIO) -> None:
    tally.event(event("runner_on_ok", "One", res={"changed": False}))
    tally.event(event("runner_on_ok", "Two", res={"changed": True}))
    tally.event(event("runner_on_skipped", "Three"))
    assert (tally.ok, tally.changed, tally.failure) == (1, 1, "")
    assert re.fullmatch(r"✓ vm-1: One: ok \(\d+\.\d s\)\n✓ vm-1: Two: changed \(\d+\.\d s\)\n", told.getvalue())


def test_a_failure_keeps_its_message_in_full(tally: Tally, told: io.StringIO) -> None:
    tally.event(event("runner_on_failed", "Bad", res={"msg": "first\nsecond", "stderr": "why"}))
    assert tally.failure == "failed at task 'Bad': first\nsecond\nwhy"
    assert re.fullmatch(r"✗ vm-1: Bad: failed \(\d+\.\d s\)\n", told.getvalue())


def test_a_loops_failure_names_the_items_that_failed() -> None:
    result = {
        "msg": "One or more items failed",
        "results": [{"failed": False, "msg": "fine"}, {"failed": True, "msg": "X"}],
    }
    assert events.message(result) == "One or more items failed\nX"


def test_what_a_playbook_itself_says_is_told_whole() -> None:
    """However long the unit's journal in it is; of what a module says at such length, the telling line."""
    lines = ["no answer", "its journal:", *(f"line {number}" for number in range(30)), "error: port taken"]
    result = {"msg": "\n".join(lines)}
    assert events.message(result, own=True) == result["msg"]
    assert events.message(result) == "error: port taken"


@pytest.fixture
def silent() -> Iterator[int]:
    """Port of a server that accepts and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_sshd_that_never_answers_ends_at_its_bound(silent: int) -> None:
    with pytest.raises(PlaybookError) as caught:
        ladder.wait_for_sshd("127.0.0.1", silent, 0.5, "Console: /var/log/c", threading.Event())
    assert "Rung 'sshd answers': no ssh greeting from 127.0.0.1" in str(caught.value)
    assert "(bound: 0 s)" in str(caught.value) or "(bound: 1 s)" in str(caught.value)
    assert str(caught.value).endswith("Console: /var/log/c")


def test_a_greeting_ends_the_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-test\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        port = server.getsockname()[1]
        assert ladder.wait_for_sshd("127.0.0.1", port, 5, "", threading.Event()) < 5
        thread.join()


def inputs(folder: Path, **changes: Any) -> dict[str, Any]:
    file = folder / "site.yml"
    file.write_text("- hosts: guests\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n", encoding="utf-8")
    given = {
        "name": "vm-1",
        "host": "127.0.0.1",
        "port": 22,
        "user": "root",
        "private_key": str(file),
        "playbook": str(file),
        "variables": {},
        "digest": "x",
        "triggers": ["a"],
        "timeout_s": 20,
        "ssh_timeout_s": 1,
        "log_dir": str(folder / "logs with space"),
        "hint": "Console: c",
        "console": [],
    }
    return {**given, **changes}


def test_the_worker_gives_up_within_its_bound_and_says_so_in_the_log(tmp_path: Path, silent: int) -> None:
    with pytest.raises(playbook.PlaybookError, match=r"no ssh greeting .* \(bound: 1 s\).*Console: c"):
        playbook.run_worker(inputs(tmp_path, port=silent))
    assert "Rung 'sshd answers'" in (tmp_path / "logs with space" / "vm-1.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "property_"),
    [
        ({"port": 0}, "port"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"playbook": "/none.yml"}, "playbook"),
        ({"private_key": "/none"}, "private_key"),
        ({"host": " "}, "host"),
    ],
)
def test_bad_inputs_are_refused_by_name(tmp_path: Path, change: dict[str, Any], property_: str) -> None:
    assert [name for name, _ in playbook.problems(inputs(tmp_path, **change))] == [property_]


def test_good_inputs_have_no_problem(tmp_path: Path) -> None:
    assert playbook.problems(inputs(tmp_path)) == []


def test_only_inputs_are_a_change(tmp_path: Path) -> None:
    news = inputs(tmp_path)
    olds = {**news, "port": 22.0, "done": "d", "changed": 3.0, "seconds": 9.9}
    assert _Provider().diff("vm-1", olds, news).changes is False
    assert _Provider().diff("vm-1", olds, {**news, "digest": "y"}).changes is True


def test_a_changed_bound_does_not_converge_again(tmp_path: Path) -> None:
    olds = {**inputs(tmp_path), "done": "d", "changed": 3, "ok": 1, "seconds": 9.9}
    outs = _Provider().update("vm-1", olds, inputs(tmp_path, timeout_s=99)).outs
    assert outs is not None
    assert (outs["done"], outs["timeout_s"]) == ("d", 99)


def test_a_moved_checkout_does_not_converge_again(tmp_path: Path) -> None:
    """The digest tells of the playbook's content; the new paths are noted."""
    news = inputs(tmp_path)
    olds = {**news, "playbook": f"/elsewhere/{Path(news['playbook']).name}", "done": "d", "changed": 3, "ok": 1}
    outs = _Provider().update("vm-1", {**olds, "seconds": 9.9}, news).outs
    assert outs is not None
    assert (outs["done"], outs["playbook"]) == ("d", news["playbook"])


def test_the_serialised_provider_is_a_name_and_nothing_else() -> None:
    blob = serialize_provider(_Provider())
    assert blob == serialize_provider(_Provider())
    assert len(blob) < 100, "a captured value would make every `up` an update"
    assert json.dumps(blob)


def test_an_sshd_that_refuses_ends_with_the_consoles_last_lines(tmp_path: Path) -> None:
    """Rung, address, elapsed time, bound, what was heard last, the hint, then the console."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        port = taken.getsockname()[1]
        console = ["sh", "-c", "printf 'a line\\033[2J\\n'; echo its last words"]
        with pytest.raises(playbook.PlaybookError) as failed:
            playbook.run_worker(inputs(tmp_path, port=port, console=console))
    text = str(failed.value)
    assert re.match(rf"Rung 'sshd answers': no ssh greeting from 127\.0\.0\.1:{port} after [1-9]\d*\.", text)
    assert "(bound: 1 s). Last: [Errno 111] Connection refused. Console: c\nIts last lines (sh -c " in text
    assert text.endswith(":\n    a line[2J\n    its last words")


def test_a_guest_that_has_ended_is_not_waited_for(tmp_path: Path, silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the bound: its console's command says so by its exit status; what QEMU said is told."""
    monkeypatch.setattr(ladder, "_LOOK_S", 0.2)
    ended = ["sh", "-c", f"echo 'domain vm-1: shut off (crashed)'; exit {last_lines.GONE}"]
    given = inputs(tmp_path, port=silent, ssh_timeout_s=600, console=ended)
    climbing = ladder.Ladder(given, tmp_path / "known", Tally(Log(io.StringIO())), threading.Event())
    climbing.run()
    assert re.match(rf"Rung 'sshd answers': the guest of 127\.0\.0\.1:{silent} has ended; seen", climbing.problem)
    assert "Look at the machine: ./lab doctor. Console: c\nIts last lines (sh -c " in climbing.problem
    assert climbing.problem.endswith("\n    domain vm-1: shut off (crashed)")


def test_a_guest_that_ends_before_it_has_answered_is_started_again_once(
    tmp_path: Path, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And told of; the second time its end is the end."""
    monkeypatch.setattr(ladder, "_LOOK_S", 0.1)
    starts, told = tmp_path / "starts", io.StringIO()
    ended = ["sh", "-c", f"echo 'domain vm-1: shut off (crashed)'; exit {last_lines.GONE}"]
    start = ["sh", "-c", f"echo once >>'{starts}'"]
    given = inputs(tmp_path, port=silent, ssh_timeout_s=600, console=ended, start=start)
    climbing = ladder.Ladder(given, tmp_path / "known", Tally(Log(told), "vm-1"), threading.Event())
    climbing.run()
    assert starts.read_text(encoding="utf-8") == "once\n"
    assert (
        "vm-1: the guest has ended before its sshd answered: it is started again\nIts last lines (" in told.getvalue()
    )
    assert "has ended; seen" in climbing.problem


def test_a_guest_that_is_started_again_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sshd greets after the second start."""
    monkeypatch.setattr(ladder, "_LOOK_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    up = tmp_path / "up"
    console = ["sh", "-c", f"[ -e '{up}' ] || exit {last_lines.GONE}"]
    greet = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); c, _ = s.accept(); "
        "c.sendall(b'SSH-2.0-test\\r\\n')"
    )
    script = f'touch "$1"; "$2" -c "$3" {port} >/dev/null 2>&1 &'
    start = ["sh", "-c", script, "sh", str(up), sys.executable, greet]
    monkeypatch.setattr(ladder, "know_host", lambda *_: None)
    given = inputs(tmp_path, port=port, ssh_timeout_s=60, console=console, start=start)
    climbing = ladder.Ladder(given, tmp_path / "known", Tally(Log(io.StringIO()), "vm-1"), threading.Event())
    climbing.run()
    assert climbing.problem == ""
    assert climbing.seconds > 0


@pytest.mark.parametrize(
    ("command", "ended"),
    [
        ([], False),
        (["false"], False),
        (["no-such-program"], False),
        (["sh", "-c", f"exit {last_lines.GONE}"], True),
    ],
)
def test_only_what_is_told_to_have_ended_has(command: list[str], ended: bool) -> None:
    """A server that cannot be asked is no guest that has ended."""
    assert last_lines.gone(command) is ended


def test_the_environment_sets_another_bound(tmp_path: Path, silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bounds.SSH.variable, "2")
    with pytest.raises(playbook.PlaybookError, match=r"\(bound: 2 s\)"):
        playbook.run_worker(inputs(tmp_path, port=silent))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], ""),
        (["true"], "\nIts last lines (true):\n    (none)"),
        (["no-such-program"], "[Errno 2] No such file or directory: 'no-such-program'"),
    ],
)
def test_last_lines_never_fail(command: list[str], told: str) -> None:
    """The message that they belong to must come in any case."""
    assert last_lines.of(command).endswith(told)


def test_a_playbook_in_which_no_task_ran_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of a role's variables runs whatever is selected; it configures nothing."""

    def ansible(*_: Any, tally: Tally, **__: Any) -> tuple[str, str]:
        tally.event(event("runner_on_ok", "Validating arguments against arg spec 'main'", res={}))
        tally.event(event("runner_on_skipped", "A task", res={}))
        return "successful", ""

    monkeypatch.setattr(playbook_worker, "_ansible", ansible)
    monkeypatch.setattr(ladder, "know_host", lambda *_: None)
    monkeypatch.setattr(ladder, "wait_for_sshd", lambda *_, **__: 0.0)
    (tmp_path / "logs with space").mkdir()
    with pytest.raises(PlaybookError, match="without having run a task"):
        playbook_worker.run(inputs(tmp_path), Log(io.StringIO(), io.StringIO()), threading.Event())


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of the worker's Python."""

    def put(script: str) -> None:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))

    return put


def test_a_worker_that_ends_before_it_has_read_is_told_of_by_its_status(
    tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    """Not by the pipe that broke; more than a pipe holds is not read."""
    stand_in("exit 3")
    with pytest.raises(playbook.PlaybookError, match=r"ended with status 3 and no result; see .*vm-1\.log"):
        playbook.run_worker(inputs(tmp_path, variables={"much": "x" * 2**20}))


def test_what_a_killed_worker_had_started_is_ended(tmp_path: Path, stand_in: Callable[[str], None]) -> None:
    """At once, by whoever waits for the worker: it works on in the guest else."""
    given = inputs(tmp_path)
    mark = marked.marker(given)
    variable, _, value = mark.partition("=")
    started = f"{variable}='{value}x' setsid sleep 300 >/dev/null 2>&1 &\necho $! >'{tmp_path}/pid'"
    stand_in(f"read -r _\n{started}\nkill -9 $$")
    with pytest.raises(playbook.PlaybookError, match="ended with status -9"):
        playbook.run_worker(given)
    assert marked.marked(mark) == []
    assert not alive(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_the_worker_starts_from_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str], None]
) -> None:
    """Ansible gets what the worker has: UTF-8, and no setting that was meant for other playbooks."""
    stand_in(f"read -r _\nenv >'{tmp_path}/env'\necho '{{}}'")
    for name in ("ANSIBLE_RUN_TAGS", "ANSIBLE_VAULT_PASSWORD_FILE", "http_proxy", "SSH_AUTH_SOCK", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LC_ALL", "C")
    playbook.run_worker(inputs(tmp_path))
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text(encoding="utf-8").splitlines())
    assert "x" not in told.values()
    assert (told["LC_ALL"], told["PYTHONUTF8"]) == ("C.UTF-8", "1")


def test_ssh_heeds_neither_configuration_nor_agent(tmp_path: Path) -> None:
    """What Ansible starts, and what `./lab exec` does."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nprintf "%s\\n" "agent:${SSH_AUTH_SOCK-}" "$@"\n', encoding="utf-8")
    ssh.chmod(0o755)
    known = tmp_path / "known"
    known.write_text("key\n", encoding="utf-8")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SSH_AUTH_SOCK": "/x", "VVC_KNOWN_HOSTS": str(known)}
    program = Path(playbook_worker.__file__).with_name("ansible_ssh")
    done = subprocess.run(
        [program, "host"], env=env, capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
    )
    told = done.stdout.splitlines()
    assert told[:3] == ["agent:", "-F", "none"]
    assert {"IdentitiesOnly=yes", "IdentityAgent=none", "GlobalKnownHostsFile=none"} <= {*told}
    assert "StrictHostKeyChecking=accept-new" in told


def test_the_first_connection_notes_the_host_key_for_as_long_as_it_is_that_machine(tmp_path: Path) -> None:
    """Nothing asks the guest for its key before: that is a key exchange more. Another machine's key is forgotten."""
    known, kept = tmp_path / "vm-1.known_hosts", tmp_path / "vm-1.host_key"
    for machine, before in (("one", ""), ("one", "guest ssh-ed25519 AAAA\n"), ("other", "")):
        known.unlink(missing_ok=True)
        ladder.know_host({"host": "guest", "port": 22, "triggers": [machine]}, known)
        mark, noted = known.read_text(encoding="utf-8").split("\n", 1)
        assert mark.startswith("# machine ")
        assert noted == before
        with known.open("a", encoding="utf-8") as file:
            file.write("" if before else "guest ssh-ed25519 AAAA\n")
    assert kept.read_text(encoding="utf-8") == known.read_text(encoding="utf-8")
