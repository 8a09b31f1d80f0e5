"""Runs one playbook in one guest, or in the servers of a cluster: `python -m infra.playbook_worker`.

It is started by infra.playbook. Standard input: one line of JSON, the inputs of the resource; its end means that the
parent is gone. Standard error and `<log_dir>/<name>.log`: one line a task as it happens. Standard output: one JSON
object, {"ok", "changed", "seconds", "ssh_s"} or {"problem"}. Exit status 0 only with the former. Whatever was started
ends with this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import guest_lock, surprise, telling
from infra.worker import marked
from infra.worker.events import Log, PlaybookError, Tally
from infra.worker.inventory import inventory
from infra.worker.ladder import Ladder


def run(inputs: Mapping[str, Any], out: Log, stop: threading.Event) -> dict[str, Any]:
    """Run the playbook. Ansible starts up while the guest boots, and is held back until its sshd answers."""
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="vvc-playbook-"))
    marker = f"{marked.marker(inputs)}{uuid.uuid4()}"
    known = Path(inputs["log_dir"]) / f"{inputs['name']}.known_hosts"
    known.unlink(missing_ok=True)
    tally = Tally(out, inputs["name"])
    ladder = Ladder(inputs, known, tally, stop)
    if inputs.get("servers") is None:  # servers are healthy before anything is made of them
        ladder.start()
    try:
        status, output = _ansible(inputs, folder, known, marker=marker, tally=tally, stop=stop)
    finally:
        stop.set()
        shutil.rmtree(folder, ignore_errors=True)
        marked.end_marked(marker)
    out.detail(output)
    if ladder.problem:
        raise PlaybookError(ladder.problem)
    if status == "successful" and tally.ran:
        return {
            "ok": tally.ok,
            "changed": tally.changed,
            "seconds": round(time.monotonic() - begin, 1),
            "ssh_s": round(ladder.seconds, 1),
        }
    raise PlaybookError(_ending(status, inputs, tally, output, time.monotonic() - begin))


def _ending(status: str, inputs: Mapping[str, Any], tally: Tally, output: str, seconds: float) -> str:
    name = f"Playbook {Path(inputs['playbook']).name} for {inputs['name']}"
    if status == "successful":
        return f"{name} ended without having run a task: something selects none of them (tags, a limit)."
    if status == "timeout":
        return f"{name} gave up after {seconds:.0f} s (bound: {inputs['timeout_s'] + inputs['ssh_timeout_s']} s)."
    if status == "canceled":
        return f"{name} was stopped after {seconds:.0f} s."
    return f"{name}: {tally.failure or f'it ended as {status!r}{telling.because(output)}'}"


def _ansible(
    inputs: Mapping[str, Any], folder: Path, known: Path, *, marker: str, tally: Tally, stop: threading.Event
) -> tuple[str, str]:
    # Imported beside the wait for sshd: it takes a third of a second. It has no type stubs.
    import ansible_runner  # type: ignore[import-untyped]  # noqa: PLC0415

    playbook = Path(inputs["playbook"])
    key, _, value = marker.partition("=")
    strategies = importlib.util.find_spec("ansible_mitogen.plugins.strategy")
    if strategies is None or not strategies.submodule_search_locations:
        raise PlaybookError("the Python package mitogen is not installed; run ./lab setup")
    names = _plain_names(
        folder,
        key=Path(inputs["private_key"]),
        known_hosts=known,
        ssh=Path(__file__).with_name("ansible_ssh"),
        strategy=Path(next(iter(strategies.submodule_search_locations))),
        python=Path(sys.executable),
    )
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=str(playbook),
        inventory=inventory(inputs, names),
        extravars=dict(inputs["variables"]),
        envvars={
            key: value,
            "VVC_KNOWN_HOSTS": names["known_hosts"],
            "VVC_RUN_DIR": str(folder),
            **({} if inputs.get("servers") is None else {"DOCKER_HOST": inputs["host"]}),
            "ANSIBLE_CONFIG": str(playbook.with_name("ansible.cfg")),
            # What runs here keeps its files there; Mitogen asks for the home, not for ANSIBLE_HOME.
            "HOME": str(folder / "home"),
            "ANSIBLE_STRATEGY_PLUGINS": names["strategy"],
            # Counts from Ansible's start, and so holds the guest's boot as well.
            "ANSIBLE_TIMEOUT": str(inputs["ssh_timeout_s"] + 60),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        },
        timeout=inputs["timeout_s"] + inputs["ssh_timeout_s"],
        quiet=True,
        event_handler=tally.event,
        cancel_callback=stop.is_set,
    )
    with runner.stdout as text:
        return str(runner.status), text.read()


def _plain_names(folder: Path, **targets: Path) -> dict[str, str]:
    """Links in the run's own folder: ssh and Ansible expand some characters that a checkout's path may have."""
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    return {name: str(folder / name) for name in targets}


def main() -> int:
    """Read the inputs, run, answer."""
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: stop.set())
    inputs = json.loads(sys.stdin.readline())

    def until_parent_ends() -> None:
        # Not sys.stdin: its lock would be held for good, and the interpreter's end wants it.
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=until_parent_ends, daemon=True).start()
    log = Path(inputs["log_dir"]) / f"{inputs['name']}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        out = Log(file)
        out.detail(f"## {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {inputs['playbook']} for {inputs['host']}")
        try:
            with guest_lock.held(log.with_suffix(".lock"), inputs["name"], stop, out.line):
                # Of a run whose worker was killed Ansible may live on; two would be at work in one guest.
                marked.end_marked(marked.marker(inputs))
                result = run(inputs, out, stop)
            status = 0
        except (PlaybookError, guest_lock.HeldError) as error:
            out.detail(f"✗ {error}")
            result, status = {"problem": str(error)}, 1
        except Exception as error:  # noqa: BLE001 - the person gets a sentence, the log the traceback
            surprise.note(error, log)
            met = f"Playbook for {inputs['name']} met what it does not expect: {surprise.sentence(error)}. Log: {log}"
            result, status = {"problem": met}, 1
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
