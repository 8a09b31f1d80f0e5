"""Rungs of the readiness ladder that give up: each failure is made, and ends in its message with the last lines."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra import machine as machine_file
from infra import plan
from infra.checkout import identify
from labkit.lifecycle import servers, suite
from labkit.system.errors import LabError
from labkit.system.waiting import until
from tests import another_checkout
from tests.engines.real import LAB, ROOT, UP_S, command

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout beside ours, set up; its lab is down and gone at the end."""
    path = tmp_path_factory.mktemp("waiting") / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(path)])
    suite.make_venv(ROOT, path)
    run(path, "./lab setup --yes")
    yield path
    run(path, f"./lab down {LAB}")


def run(checkout: Path, script: str, *, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """A script in that checkout, with its own environment of plain Pulumi."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "VVC_TESTS"))}
    done = subprocess.run(
        ["sh", "-euc", f'cd {shlex.quote(str(checkout))}; if [ -d .state ]; then eval "$(./lab env)"; fi; {script}'],
        env={**clean, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=UP_S,
        check=False,
        encoding="utf-8",
    )
    assert not check or done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done


def up(side: str) -> str:
    """Script: only one side comes up."""
    return f"pulumi config set sides {side} -s {LAB}; pulumi up --yes --skip-preview --non-interactive -s {LAB}"


def gives_up(checkout: Path, side: str, variable: str, bounds_s: tuple[int, ...], sign: str) -> tuple[int, str]:
    """A bound, and what an `up` says that ends at it: at the first at which what is waited for has come so far.

    A machine that is busy may not have brought it there at a bound for which an idle one has time.
    """
    for bound_s in bounds_s:
        done = run(checkout, up(side), check=False, **{variable: str(bound_s)})
        assert done.returncode != 0
        told = done.stdout + done.stderr
        if sign in told:
            break
    return bound_s, told


def test_a_guest_that_never_boots_ends_with_its_consoles_last_lines(checkout: Path, tmp_path: Path) -> None:
    """Rung 'sshd answers': its initrd is no initrd, so the kernel panics."""
    file = checkout / ".state" / "machine.json"
    kept = file.read_text(encoding="utf-8")
    facts = json.loads(kept)
    broken = tmp_path / "guest"
    broken.mkdir()
    for part in ("disk.qcow2", "vmlinuz"):
        (broken / part).symlink_to(Path(facts["guest_dir"], part))
    (broken / "initrd.img").write_bytes(b"no initrd")
    file.write_text(json.dumps({**facts, "guest_dir": str(broken), "guest_digest": "broken"}), encoding="utf-8")
    try:
        bound_s, told = gives_up(checkout, "vm", "VVC_SSH_TIMEOUT_S", (20, 120), "Kernel panic")
    finally:
        file.write_text(kept, encoding="utf-8")
    assert "Rung 'sshd answers': no ssh greeting from 10." in told
    assert f"(bound: {bound_s} s)" in told
    assert "domain vm-1: " in told
    assert "Kernel panic - not syncing" in told
    assert "Kernel panic" in (checkout / ".state" / LAB / "vm-1-playbook.log").read_text(encoding="utf-8")


def test_a_guest_whose_emulator_dies_while_it_boots_is_started_again(checkout: Path) -> None:
    """Once, and told of; the `up` goes on."""
    server = f"{plan.PREFIX}-{identify(checkout).id}-{LAB}-server-1"
    dies = [
        *("docker", "exec", server, "sh", "-euc"),
        '[ "$(virsh -q domstate vm-1)" = running ]; pkill -KILL -f [g]uest=vm-1',
    ]

    def killed() -> bool:
        return until(lambda: command(dies, check=False).returncode == 0, UP_S)

    run(checkout, f"./lab down {LAB}")
    with ThreadPoolExecutor() as pool:
        kill = pool.submit(killed)
        done = run(checkout, up("vm"))
    assert kill.result()
    assert "✗ vm-1-playbook: the guest has ended before its sshd answered: it is started again" in done.stdout
    assert "domain vm-1: shut off (crashed)" in done.stdout


def test_a_service_that_answers_500_ends_with_its_last_lines(checkout: Path) -> None:
    """Rung 'service answers': the checkout's service is broken by hand."""
    source = checkout / "service" / "api.py"
    kept = source.read_text(encoding="utf-8")
    try:
        head = "    async def whoami(self, _request: Request) -> Response:\n"
        assert head in kept
        source.write_text(
            kept.replace(head, f'{head}        raise RuntimeError("broken by the test")\n'), encoding="utf-8"
        )
        bound_s, told = gives_up(checkout, "container", "VVC_READY_TIMEOUT_S", (5, 60), "status 500")
    finally:
        source.write_text(kept, encoding="utf-8")
    assert "Rung 'service answers': http://10." in told
    assert f"(bound: {bound_s} s). Last: status 500" in told
    assert "broken by the test" in told


@pytest.mark.parametrize(("script", "state"), [("sleep 60", "not healthy"), ("exit 3", "exited")])
def test_a_server_that_does_not_get_healthy_ends_with_its_last_lines(tmp_path: Path, script: str, state: str) -> None:
    """Rung 'server healthy', on a container of the server image that does something else."""
    machine = machine_file.load()
    with servers.engine(machine) as client:
        container = client.containers.run(
            machine.server_image,
            ["-c", f"echo broken by the test; {script}"],
            entrypoint="/bin/sh",
            healthcheck={"test": ["CMD", "false"], "interval": 200_000_000, "retries": 1},
            labels=another_checkout.labels_of(tmp_path, "tests-waiting"),
            network_mode="none",
            detach=True,
        )
        try:
            with pytest.raises(LabError) as failed:
                servers.wait_healthy(container, within_s=2)
        finally:
            container.remove(force=True, v=True)
    assert failed.value.problem.startswith(f"Rung 'server healthy': {container.name} is {state} after ")
    assert "(bound 2 s). Its last lines:\nbroken by the test" in failed.value.problem
