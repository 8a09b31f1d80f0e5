"""The private Docker Engine, really started: in a network namespace and folders of its own, beside any other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from infra import plan
from labkit.setup.docker import _daemons, _network
from labkit.setup.docker.private import DATA_VARIABLE, RUN_VARIABLE, Folders
from labkit.system import mounts
from labkit.system.paths import CHECKOUT_ID
from labkit.system.processes import command_line

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[3]
NAMESPACE = f"vvc-engine-test-{CHECKOUT_ID}"
FOLDERS = f"vvc-e-{CHECKOUT_ID}-"
OWN_RULE = '-A FORWARD -i lo -m comment --comment "a person\'s own" -j ACCEPT'
LATE_RULE = "-A INPUT -p tcp -m tcp --dport 4711 -j DROP"

ENGINE = "from labkit.setup.docker import engine; from labkit.system.progress import Quiet"
ENSURE = """
from labkit.setup.docker import engine
from labkit.system.progress import Quiet
found = engine.ensure(Quiet())
print(found.host, found.private, found.storage_driver)
"""
STOP = f"{ENGINE}; engine.stop(Quiet(), labs_too={{labs_too}})"
REMOVE = f"{ENGINE}; engine.remove(Quiet())"
CLEAN_CACHE = f"from labkit.lifecycle import clean; {ENGINE}; clean.cache(engine.connect(), Quiet())"
CLEAN_ENGINE = f"from labkit.lifecycle import clean; {ENGINE}; clean.private_engine(Quiet())"
MEND = """
from labkit.setup import checks_firewall
from labkit.setup.docker import engine, rules
from labkit.system.progress import Terminal
check = checks_firewall.firewall()
print(check.ok, check.needed, check.found)
rules.ensure(engine.connect(), Terminal())
print(checks_firewall.firewall().ok)
"""
ALL_FLUSHED = "iptables -F; iptables -X; iptables -t nat -F; iptables -t nat -X"
FLUSHES = (
    pytest.param(ALL_FLUSHED, id="all"),
    pytest.param("iptables -F", id="filter", marks=pytest.mark.long),
    pytest.param("iptables -t nat -F; iptables -t nat -X", id="nat", marks=pytest.mark.long),
)
LOOK = """
import dataclasses, json
from labkit.setup.docker import _network
print(json.dumps(dataclasses.asdict(_network.look())))
"""


@dataclass(frozen=True)
class Machine:
    """A network namespace, and folders for a private engine in it."""

    folders: Folders

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace (its network only: mounts are the machine's)."""
        env = os.environ | {
            DATA_VARIABLE: str(self.folders.data),
            RUN_VARIABLE: str(self.folders.run),
            "DOCKER_HOST": self.folders.host,
        }
        command = ["nsenter", f"--net=/run/netns/{NAMESPACE}", *words]
        done = subprocess.run(
            command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False, encoding="utf-8"
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def python(self, code: str, *, check: bool = True) -> str:
        """Run Python code in the namespace; what it printed, on stderr where it failed."""
        done = self.run(sys.executable, "-c", code, check=check)
        return done.stdout + done.stderr

    def look(self) -> _network.Before:
        """The namespace's network as it is."""
        return _network.Before(**json.loads(self.python(LOOK)))

    def processes(self) -> list[int]:
        """All processes with one of the engine's folders on their command line."""
        pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        marks = (str(self.folders.run), str(self.folders.data))
        return [pid for pid in pids if any(mark in " ".join(command_line(pid)) for mark in marks)]


def _remove_what_a_killed_run_left() -> None:
    for folder in Path("/var/tmp").glob(f"{FOLDERS}*"):
        Machine(Folders(folder / "data", folder / "run")).python(STOP.format(labs_too=True), check=False)
        mounts.unmount(folder)
        shutil.rmtree(folder)
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, timeout=20, capture_output=True)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine without any rule but a person's own one, that does not forward."""
    _remove_what_a_killed_run_left()
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=20)
    # Short, because of Unix sockets; and on a real file system, because of overlay mounts.
    with tempfile.TemporaryDirectory(prefix=FOLDERS, dir="/var/tmp") as folder:
        one = Machine(Folders(Path(folder) / "data", Path(folder) / "run"))
        try:
            one.run("sh", "-ec", "ip link set lo up; echo 0 > /proc/sys/net/ipv4/ip_forward")
            one.run("sh", "-ec", f"iptables {OWN_RULE}")
            yield one
        finally:
            one.python(STOP.format(labs_too=True), check=False)
            subprocess.run(["ip", "netns", "del", NAMESPACE], check=True, timeout=20)


def essence(before: _network.Before) -> dict[str, object]:
    """What counts of the rules: all of them, own chains, and policies that are not the default."""
    return {
        name: (rules.rules, rules.chains, {chain: one for chain, one in rules.policies.items() if one != "ACCEPT"})
        for name, saved in before.filters.items()
        for rules in [_network.parse(saved)]
    }


def start_sleeper(machine: Machine, labels: dict[str, str]) -> str:
    """Run a container, with a published port, of an image that holds one program of this machine."""
    files = [Path("/bin/sleep")]
    listed = subprocess.run(
        ["ldd", "/bin/sleep"], capture_output=True, text=True, timeout=20, check=True, encoding="utf-8"
    ).stdout
    files += [Path(name) for name in re.findall(r"(/\S+)", listed)]
    archive = machine.folders.data.parent / "sleeper.tar"
    with tarfile.open(archive, "w", dereference=True) as tar:
        for file in files:
            tar.add(file, arcname=str(file))
    client = docker.DockerClient(base_url=machine.folders.host, timeout=60)
    try:
        client.api.import_image_from_file(str(archive), repository="sleeper", tag="1")
        container = client.containers.run(
            "sleeper:1", ["/bin/sleep", "600"], detach=True, labels=labels, ports={"80/tcp": ("127.0.0.1", 4712)}
        )
        assert container.id
        return str(container.id)
    finally:
        client.close()


def test_stop_takes_back_rules_and_sysctls_and_nothing_else(machine: Machine) -> None:
    """As before the start, and what a person added meanwhile stays."""
    before = machine.look()
    assert machine.python(ENSURE).startswith(f"{machine.folders.host} True ")
    running = machine.look()
    assert "docker0" in running.bridges
    assert running.sysctls["net/ipv4/ip_forward"] == "1"
    assert any("MASQUERADE" in rule for _, rule in _network.parse(running.filters["iptables"]).rules)
    assert machine.folders.run.stat().st_mode & 0o777 == 0o700
    assert machine.python(ENSURE).startswith(machine.folders.host), "a second ensure adopts it"

    machine.run("sh", "-ec", f"iptables {LATE_RULE}")
    lab = start_sleeper(machine, {plan.LAB_LABEL: "deployment"})
    assert "Labs are up" in machine.python(STOP.format(labs_too=False), check=False)
    assert any(lab[:12] in " ".join(command_line(pid)) for pid in machine.processes())

    machine.python(STOP.format(labs_too=True))
    after = machine.look()
    machine.run("sh", "-ec", f"iptables {LATE_RULE.replace('-A', '-D', 1)}")  # it was there to be deleted
    assert essence(machine.look()) == essence(before)
    assert ("filter", LATE_RULE) in _network.parse(after.filters["iptables"]).rules
    assert after.sysctls == before.sysctls
    assert after.bridges == before.bridges
    assert not machine.processes()
    assert not machine.folders.run.exists()

    machine.python(REMOVE)
    assert not machine.folders.data.exists()


def test_clean_takes_caches_and_engine_but_no_other_checkouts_lab(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our images and what set-up keeps in the cache go, a stranger's image and file stay; so does a foreign lab."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path))
    (tmp_path / "images" / "guest-1").mkdir(parents=True)
    (tmp_path / "toolchain" / "cli-1").mkdir(parents=True)
    (tmp_path / "letter.txt").write_text("a person's own", encoding="utf-8")
    machine.python(ENSURE)
    start_sleeper(machine, {plan.LAB_LABEL: "deployment", plan.CHECKOUT_LABEL: "deadbeef"})
    client = docker.DockerClient(base_url=machine.folders.host, timeout=60)
    try:
        client.images.get("sleeper:1").tag(f"{plan.PROJECT}/server", "1")
        machine.python(CLEAN_CACHE)
        assert [image.tags for image in client.images.list()] == [["sleeper:1"]]
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
        for state in ("running", "exited"):
            (foreign,) = client.containers.list(all=True)
            assert foreign.status == state
            said = machine.python(CLEAN_ENGINE, check=False)
            assert "Other checkouts' labs are on the private Docker Engine (deadbeef: deployment)." in said
            foreign.kill() if state == "running" else foreign.remove()
    finally:
        client.close()
    machine.python(CLEAN_ENGINE)
    assert not machine.processes()
    assert not machine.folders.run.exists()
    assert not machine.folders.data.exists()


def test_after_a_killed_engine_ensure_starts_it_anew_and_stop_leaves_nothing(machine: Machine) -> None:
    """A stale pidfile, an orphaned containerd, shims and mounts do not hinder either."""
    before = machine.look()
    machine.python(ENSURE)
    start_sleeper(machine, {})
    kill_engine(machine)
    assert machine.processes(), "containerd and the container's shim are orphans now"
    assert machine.python(ENSURE).startswith(machine.folders.host)

    start_sleeper_again(machine)
    kill_engine(machine)
    machine.python(STOP.format(labs_too=False))
    after = machine.look()
    assert essence(after) == essence(before)
    assert after.sysctls == before.sysctls
    assert after.bridges == before.bridges
    assert not machine.processes()
    mounted = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert str(machine.folders.data.parent) not in mounted


@pytest.mark.parametrize("flush", FLUSHES)
def test_after_a_flush_of_the_packet_filter_the_engine_makes_networks_again(machine: Machine, flush: str) -> None:
    """Doctor sees it; the engine is restarted, and what is on it is still there."""
    before = machine.look()
    machine.python(ENSURE)
    start_sleeper(machine, {plan.LAB_LABEL: "deployment"})
    client = docker.DockerClient(base_url=machine.folders.host, timeout=60)
    try:
        machine.run("sh", "-ec", flush)
        if flush == ALL_FLUSHED:
            with pytest.raises(docker.errors.APIError, match="No chain/target/match by that name"):
                client.networks.create("one", driver="bridge")
        said = machine.python(MEND)
        assert said.startswith("False False ")
        assert "somebody flushed the packet filter" in said
        assert "\nTrue\n" in said
        client.networks.create("another", driver="bridge").remove()
        (lab,) = client.containers.list(all=True, filters={"label": plan.LAB_LABEL})
        lab.start()
        assert "come back with ./lab up LAB: deployment" in said
    finally:
        client.close()
    if "iptables -F" in flush:
        machine.run("sh", "-ec", f"iptables {OWN_RULE}")  # the flush took it
    machine.python(STOP.format(labs_too=True))
    assert essence(machine.look()) == essence(before)


def test_an_engine_that_cannot_start_says_why(machine: Machine) -> None:
    """Its last lines are in the message, and nothing of it stays."""
    (machine.folders.data / "containers").mkdir(parents=True)
    (machine.folders.data / "image").write_text("not a folder", encoding="utf-8")
    said = machine.python(ENSURE, check=False)
    assert "is not empty and not an engine's data" in said
    (machine.folders.data / "image").unlink()
    (machine.folders.data / "image").mkdir()
    (machine.folders.data / "network").write_text("not a folder", encoding="utf-8")
    said = machine.python(ENSURE, check=False)
    assert "did not start; it said:" in said
    assert "not a directory" in said
    machine.python(STOP.format(labs_too=False))
    assert not machine.processes()


def kill_engine(machine: Machine) -> None:
    """kill -9 of dockerd, and wait until it is gone."""
    pid = _daemons.dockerd(machine.folders.pidfile)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _daemons.dockerd(machine.folders.pidfile) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start_sleeper_again(machine: Machine) -> None:
    """The recovered engine has its image and runs a container again."""
    client = docker.DockerClient(base_url=machine.folders.host, timeout=60)
    try:
        container = client.containers.run("sleeper:1", ["/bin/sleep", "600"], detach=True)
        container.reload()
        assert container.status == "running"
    finally:
        client.close()
