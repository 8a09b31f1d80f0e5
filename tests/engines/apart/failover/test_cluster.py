"""Two clusters come up, lose a server each, are healed."""

from __future__ import annotations

import pytest

from labs.failover.sides import container
from tests.engines.apart.failover.site import LAB, Failover, counted, play, unchanged, who, write, written
from tests.engines.real import command

BECOMES_A_MANAGER = f"""
set -- server-6
{container._DEMOTE}
docker node promote "$1"
until docker node ls --format '{{{{.Hostname}}}} {{{{.ManagerStatus}}}}' | grep -q "^$1 Reachable"; do :; done
"""
"""Ends when others call server-6 a manager again, which it is a moment later."""

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]


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


def test_up_brings_back_servers_that_are_frozen(site: Failover) -> None:
    """They do not go on beside what their peers have started in their place: one VM, nothing lost on either side."""
    home = {side: site.where(side) for side in ("vm", "container")}
    for side in home:
        write(site, side, "frozen", range(1, 4))
    with counted(site) as qemus:
        for server in home.values():
            command(["docker", "pause", f"{site.prefix}{server}"])
        site.up()
    assert max(qemus) == 1
    assert all(state == "running" for state in site.status()["servers"].values())
    for side, server in home.items():
        assert written(site, side, "frozen") == [1, 2, 3]
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
    write(site, "vm", "broken", range(1, 4))
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
    # The one that came again is no second member beside its former self.
    assert site.run("server-4", "docker node ls -q | wc -l").strip() == "3"
    assert written(site, "vm", "broken") == [1, 2, 3]
    assert unchanged(site.up())


@pytest.mark.long
@pytest.mark.parametrize("broken", ["no_longer_decides", "majority_lost", "all_have_left", "knows_of_nobody"])
def test_a_swarm_that_fell_apart_is_formed_anew(site: Failover, broken: str) -> None:
    """A server that was told to be a worker; two of three gone for good; none in any swarm; one that died before the
    swarm had told it anything, and never answers. The data are as before."""
    write(site, "container", broken, range(1, 4))
    if broken == "no_longer_decides":
        site.run("server-5", "docker node demote server-6")
    elif broken == "majority_lost":
        for server in ("server-5", "server-6"):
            command(["docker", "rm", "-f", f"{site.prefix}{server}"])
            command(["docker", "volume", "rm", f"{site.prefix}{server}-docker-data"])
    elif broken == "knows_of_nobody":
        site.run("server-5", BECOMES_A_MANAGER)
        site.kill("server-6")
    else:
        for server in ("server-4", "server-5", "server-6"):
            site.run(server, "docker swarm leave --force")
    site.up()
    found = site.status()
    assert all("error" not in one["answer"] for one in found["replicas"])
    assert len(found["clusters"]["container"]["servers"]) == 3
    assert written(site, "container", broken) == [1, 2, 3]
    assert unchanged(site.up())
