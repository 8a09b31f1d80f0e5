"""The failover lab in a checkout of its own: two clusters come up, lose a server each, are healed, go without a trace.

One bring-up for all: each test goes on where the one before has ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from infra import outputs, plan
from tests.engines.apart.kills import Site, collect
from tests.engines.real import ROOT, command
from tests.engines.test_life import traces, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

LAB = "failover"
BACK_S = 90
MEASURE_S = 900


class Failover(Site):
    """Its failover lab."""

    @property
    def prefix(self) -> str:
        """What its containers' names begin with."""
        return f"{plan.PREFIX}-{self.id}-{LAB}-"

    def up(self) -> str:
        """`./lab up`, all that it says."""
        return self.tool("up", LAB).stdout

    def status(self) -> Any:
        """What `./lab status` says of it."""
        told = self.tool("status", LAB, "--json", check=False).stdout
        return json.loads(told[told.index("{") :])[LAB]

    def where(self, side: str) -> str:
        """The one server on which a side's replica runs."""
        (server,) = next(one["runs_on"] for one in self.status()["replicas"] if one["side"] == side)
        return str(server)

    def measure(self, *experiments: str) -> Any:
        """A quick run of these experiments, as its report has it."""
        with self.start("run", LAB, *experiments, "--quick") as process:
            told, ended = collect(process, MEASURE_S)
        assert ended, told
        assert process.returncode == 0, told
        report = self.tool("report", LAB, "--json").stdout
        return json.loads(report[report.index("{") :])["run"]

    def run(self, server: str, script: str) -> str:
        """What a script prints in a server."""
        return command(["docker", "exec", f"{self.prefix}{server}", "sh", "-c", script]).stdout

    def kill(self, name: str) -> None:
        """As when its power is cut."""
        command(["docker", "kill", f"{self.prefix}{name}"])

    def state(self) -> list[dict[str, Any]]:
        """Resources of its Pulumi state."""
        file = next((self.checkout / ".state/pulumi/.pulumi/stacks").rglob(f"{LAB}.json"))
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]
        return found

    def contract(self) -> outputs.Contract:
        """What it exports."""
        return outputs.from_outputs(self.state()[0]["outputs"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failover]:
    """A checkout whose failover lab is up; down at the end."""
    checkout = tmp_path_factory.mktemp("cluster") / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    found = Failover(checkout)
    found.tool("setup", "--yes")
    try:
        found.up()
        yield found
    finally:
        found.tool("down", LAB, check=False)


def write(site: Failover, side: str, client: str, numbers: Sequence[int]) -> None:
    """Entries that the service acknowledges."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    for number in numbers:
        body = {"client": client, "seq": number, "payload": f"{side} {number}"}
        answer = requests.post(f"{url}/entries", json=body, timeout=5)
        assert answer.status_code == 201, answer.text


def written(site: Failover, side: str, client: str) -> list[int]:
    """Entries that it has, when it answers."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    found = wait_for(f"{url}/entries?client={client}&after=0", BACK_S)
    return [int(one["seq"]) for one in found["entries"]]


def who(site: Failover, side: str) -> dict[str, Any]:
    """What its replica says of itself, when it answers."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    return dict(wait_for(f"{url}/whoami", BACK_S))


@contextmanager
def counted(site: Failover) -> Iterator[list[int]]:
    """How many QEMUs ran the VM at each look meanwhile."""
    ended, seen = threading.Event(), []
    names = [f"{site.prefix}server-{number}" for number in (1, 2, 3)]

    def watch() -> None:
        while not ended.wait(0.1):
            lines = [
                line
                for name in names
                for line in command(["docker", "top", name, "-eo", "pid,args"], check=False).stdout.splitlines()
                if "-name guest=vm-1," in line and "qemu-system" in line.split()[1]
            ]
            seen.append(len(lines))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def unchanged(told: str) -> bool:
    """Whether a `pulumi up` changed nothing."""
    return re.search(r"^ +[0-9]+ unchanged$", told, re.MULTILINE) is not None and "changes." not in told


def test_both_clusters_run_one_replica_each(site: Failover) -> None:
    """Behind one edge; a leader each; each server knows who it is, and one can go in."""
    found = site.status()
    assert found["state"] == "up"
    assert all(state == "running" for state in found["servers"].values())
    assert len(found["servers"]) == 6
    assert {one["side"]: len(one["runs_on"]) for one in found["replicas"]} == {"vm": 1, "container": 1}
    assert all("error" not in one["answer"] for one in found["replicas"])
    assert all(cluster["leader"].startswith("server-") for cluster in found["clusters"].values())
    for replica in ("vm-1", "container-1"):
        assert site.tool("exec", "--lab", LAB, replica, "cat", "/proc/sys/kernel/hostname").stdout.strip() == replica


def test_a_second_up_changes_nothing(site: Failover) -> None:
    """Nor does one that looks at everything, nor the playbooks themselves, which are verified."""
    assert unchanged(site.up())
    told = command(
        ["sh", "-c", f'eval "$(./lab env)"; pulumi preview -s {LAB} --refresh --expect-no-changes --non-interactive'],
        cwd=site.checkout,
        timeout_s=300,
    )
    assert told.returncode == 0
    for name, verify in (("vm-cluster-playbook", "pacemaker"), ("container-cluster-playbook", "swarm")):
        inputs = next(one["inputs"] for one in site.state() if one["urn"].endswith(f"::{name}"))
        assert play(site, inputs)["changed"] == 0
        assert play(site, {**inputs, "playbook": str(site.checkout / f"playbooks/verify_{verify}.yml")})["changed"] == 0


def play(site: Failover, inputs: dict[str, Any]) -> dict[str, Any]:
    """Run a playbook on a cluster's servers, as `up` does."""
    plain = {key: int(value) if isinstance(value, float) else value for key, value in inputs.items()}
    plain.pop("__provider", None)
    words = "from infra.playbook import run_worker; print(json.dumps(run_worker(json.load(sys.stdin))))"
    script = f"import json, sys; {words}"
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-P", "-c", script],
        input=json.dumps(plain), cwd=site.checkout, env=site._env(), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_each_cluster_brings_its_replica_back_on_another_server(site: Failover) -> None:
    """With its data and its address; the VM's OS has booted again, and only when its server was known to be off."""
    before = {side: who(site, side) for side in ("vm", "container")}
    home = {side: site.where(side) for side in before}
    for side in before:
        write(site, side, "failover", range(1, 6))
    with counted(site) as qemus:
        for server in home.values():
            site.kill(server)
        for side in before:
            assert written(site, side, "failover") == [1, 2, 3, 4, 5]
    assert max(qemus) == 1
    after = {side: who(site, side) for side in before}
    assert after["vm"]["boot_id"] != before["vm"]["boot_id"]
    assert after["container"]["started_at"] != before["container"]["started_at"]
    for side, server in home.items():
        assert site.where(side) != server
    leader = str(site.status()["clusters"]["vm"]["leader"])
    log = site.run(leader, "grep -h -e \"Operation 'off' targeting\" -e 'Initiating start operation vm-1' "
                   "/var/log/pacemaker/pacemaker.log").splitlines()  # fmt: skip
    off = max(number for number, line in enumerate(log) if f"targeting {home['vm']} " in line and "OK" in line)
    starts = [number for number, line in enumerate(log) if "vm-1_start_0" in line or "start operation" in line]
    assert starts[-1] > off
    assert f"off {home['vm']}: off" in command(["docker", "logs", f"{site.prefix}power"]).stdout


def test_up_starts_the_dead_servers_and_moves_nothing(site: Failover) -> None:
    """After a failover nothing of the lab has changed for Pulumi."""
    home = {side: site.where(side) for side in ("vm", "container")}
    assert unchanged(site.up())
    found = site.status()
    assert all(state == "running" for state in found["servers"].values())
    assert {side: site.where(side) for side in home} == home
    for server in ("server-1", "server-2", "server-3"):
        assert site.run(server, "/usr/local/lib/vvc/part && echo well").strip() == "well"


def test_a_changed_setting_takes_effect_on_the_one_vm_there_is(site: Failover) -> None:
    """Away from its first server: more memory, no second QEMU, no entry lost."""
    write(site, "vm", "memory", range(1, 4))
    file = site.checkout / f"Pulumi.{LAB}.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("config:\n", "config:\n  vm-vs-container:memory_mib: 576\n"), encoding="utf-8")
    with counted(site) as qemus:
        site.up()
    assert max(qemus) == 1
    assert written(site, "vm", "memory") == [1, 2, 3]
    mib = int(site.run(site.where("vm"), "virsh dominfo vm-1 | awk '/^Max memory/ { print $3 / 1024 }'"))
    assert mib == 576
    limit = site.run(site.where("container"), "docker inspect -f '{{.HostConfig.Memory}}' $(docker ps -q)")
    assert int(limit) == 576 * 2**20


def test_what_was_broken_by_hand_is_healed(site: Failover) -> None:
    """A server and the edge removed, the power service cut off, a server that has left its swarm."""
    site.kill("power")
    command(["docker", "rm", "-f", f"{site.prefix}edge"])
    assert [one.partition(":")[0] for one in site.status()["problems"]] == [
        "The edge is gone",
        "The power service is exited",
    ]
    refused = site.tool("run", LAB, "place", "--quick", check=False)
    assert refused.returncode == 1
    assert "The power service is exited: no server can be fenced" in refused.stdout
    command(["docker", "rm", "-f", f"{site.prefix}server-3"])
    site.run("server-6", "docker swarm leave --force")
    site.up()
    found = site.status()
    assert all("error" not in one["answer"] for one in found["replicas"])
    assert {side: len(one["servers"]) for side, one in found["clusters"].items()} == {"vm": 3, "container": 3}
    for number in range(1, 7):
        assert site.run(f"server-{number}", "/usr/local/lib/vvc/part && echo well").strip() == "well"
    assert written(site, "vm", "memory") == [1, 2, 3]
    assert unchanged(site.up())


def test_a_fault_is_struck_by_hand_one_at_a_time_and_undone(site: Failover) -> None:
    """While it is in force nothing is measured; the other side does not notice it."""
    home = {side: site.where(side) for side in ("vm", "container")}
    told = site.tool("fault", LAB, "server-drained", "--side", "container").stdout
    assert f"Struck on the side container ({home['container']})" in told
    assert site.status()["fault"] == {
        "fault": "server-drained",
        "side": "container",
        "servers": [home["container"]],
    }
    for words in (["fault", LAB, "server-killed", "--side", "vm"], ["run", LAB, "service-killed", "--quick"]):
        refused = site.tool(*words, check=False)
        assert refused.returncode == 1
        assert "The fault server-drained is in force on the side container" in refused.stdout
    site.tool("fault", LAB, "--undo")
    assert site.where("container") != home["container"]
    assert site.where("vm") == home["vm"]


def test_a_silent_power_service_is_told_and_started_anew(site: Failover) -> None:
    """It runs, and nobody reaches it: its socket is gone."""
    command(["docker", "exec", f"{site.prefix}power", "rm", "/run/vvc-power/socket"])
    (problem,) = site.status()["problems"]
    assert problem.startswith("The power service does not answer (monitor")
    assert "The power service does not answer" in site.tool("up", LAB).stdout
    assert site.status()["problems"] == []


@pytest.mark.long
def test_watch_tells_of_a_server_that_dies(site: Failover) -> None:
    """Who leads and where replicas run at first; then the fault, the server, the replica's new place, the edge."""
    home = site.where("container")
    strike = threading.Timer(6, site.tool, ("fault", LAB, "server-killed", "--side", "container"))
    strike.start()
    try:
        # It ends with 1 where the other side happens not to answer at its last look.
        told = site.tool("watch", LAB, "--plain", "--seconds", "90", check=False).stdout
        dead = site.status()["dead"]
    finally:
        strike.join(BACK_S)
        site.tool("fault", LAB, "--undo")
    assert dead == [f"{site.prefix}{home}"]
    assert f" leads, container-1 in {home}" in told
    for event in (
        f"struck: the fault server-killed on the side container ({home})",
        f"container   {home} is dead (exited)",
        "container   container-1 runs in server-",
        "container   the edge takes place-",
    ):
        assert event in told, event


def test_up_undoes_what_nobody_could_undo(site: Failover) -> None:
    """As after a KILL: a server that is cut off, and timers that an experiment had set."""
    site.tool("fault", LAB, "server-cut", "--side", "container")
    site.run("server-1", "sed -i 's/token: .*/token: 1000/' /etc/corosync/corosync.conf; corosync-cfgtool -R")
    (site.checkout / ".state" / LAB / "changed").write_text("timers of vm\n", encoding="utf-8")
    site.up()
    assert all("error" not in one["answer"] for one in site.status()["replicas"])
    assert site.run("server-1", "corosync-cmapctl -g totem.token").split()[-1] == "3000"
    assert '"in_force": null' in site.tool("fault", LAB, "--json").stdout


def test_an_outage_is_measured_and_its_parts_sum_to_it(site: Failover) -> None:
    """Of a service and of a server killed, on both sides; nothing acknowledged is lost."""
    run = site.measure("service-killed", "server-killed")
    found = {(one["experiment"], one["side"]): one for each in run["experiments"] for one in each["repeats"]}
    assert len(found) == 4
    for (experiment, side), repeat in found.items():
        assert not repeat["problem"]
        parts = {stage["name"]: stage["s"] for stage in repeat["stages"]}
        assert sum(parts.values()) == pytest.approx(repeat["values"]["outage_s"], rel=0.05)
        assert parts.get("unexplained", 0.0) < 0.05 * repeat["values"]["outage_s"], (experiment, side)
        assert ("fence" in parts) == ((experiment, side) == ("server-killed", "vm"))
        assert not repeat["facts"]["ledger"]["lost"]


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", ["replica-killed", "leader-killed", "server-cut", "server-drained", "majority-killed"]
)
def test_each_other_fault_is_overcome_and_undone(site: Failover, fault: str) -> None:
    """Once on each side; the lab is whole after it."""
    (done,) = site.measure(fault)["experiments"]
    assert {one["side"] for one in done["repeats"] if not one["problem"]} == {"vm", "container"}
    if fault == "majority-killed":
        answered = {one["side"]: one["values"]["answered_percent"] for one in done["repeats"]}
        assert answered == {"vm": 0.0, "container": 100.0}


@pytest.mark.long
def test_a_split_brain_is_caught_by_the_ledger(site: Failover) -> None:
    """Each copy has entries that the other one has not; the lab's own data and replicas are as they were."""
    home = {side: site.where(side) for side in ("vm", "container")}
    (done,) = site.measure("split-brain")["experiments"]
    assert {one["side"] for one in done["repeats"] if not one["problem"]} == {"vm", "container"}
    for repeat in done["repeats"]:
        assert repeat["marks"]
        assert repeat["values"]["writes_only_in_the_first"] > 0
        assert repeat["values"]["writes_only_in_the_second"] > 0
    assert {side: site.where(side) for side in home} == home
    for number in range(1, 7):
        assert site.run(f"server-{number}", "ls /srv/shared; docker ps -a; virsh list --all").count("split") == 0


def test_down_leaves_nothing_whichever_servers_are_dead(site: Failover) -> None:
    """The first of each side among them, on which Pulumi made things."""
    for server in ("server-1", "server-4", "server-5"):
        site.kill(server)
    site.tool("down", LAB)
    assert traces(site.checkout) == {}
