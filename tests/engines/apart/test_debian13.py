"""Debian 13 with systemd, cgroup v2, its own Docker Engine and KVM, as users have it: a lab comes up, and goes."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.engines.apart import whole_machine
from tests.engines.apart.whole_machine import CHECKOUT, Machine
from tests.engines.real import LAB

pytestmark = [pytest.mark.engine, pytest.mark.long]

# Bounds for a machine that is itself emulated.
BOUNDS = {
    f"VVC_{name}_TIMEOUT_S": str(seconds)
    for name, seconds in {
        "ACCELERATOR": 90,
        "HEALTHY": 600,
        "SSH": 1200,
        "READY": 600,
        "PLAYBOOK": 1200,
        "PULUMI": 2400,
        "COMMAND": 600,
    }.items()
}
LAB_COMMAND = f"cd {CHECKOUT} && ./lab"
HERE = Path(__file__).parent / "debian13"
LOAD_S, SETUP_S, UP_S, DOWN_S = 900, 900, 2400, 600
LOAD = "set -e; for file in ~/images/*.tar; do docker load -q -i $file; done"
CGROUPS = "find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d | sort"
LIMIT_BYTES = 512 * 2**20
"""`memory_mib` of the lab."""


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The machine, set up: Docker has the servers' images, and `./lab setup` has run."""
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    begin = time.monotonic()

    def say(text: str) -> None:
        terminal.write_line(f"debian13 {time.monotonic() - begin:6.0f} s  {text}")

    client = docker.from_env(timeout=600)
    try:
        with whole_machine.running(client, say) as found:
            profile = base64.b64encode((HERE / "libvirtd.apparmor").read_bytes()).decode()
            found.run(f"echo {profile} | base64 -d | sudo tee /etc/apparmor.d/usr.sbin.libvirtd > /dev/null")
            found.run("sudo apparmor_parser -r /etc/apparmor.d/usr.sbin.libvirtd")
            found.timed("docker load of the servers' images", LOAD, within_s=LOAD_S)
            told = found.timed("./lab setup", f"{LAB_COMMAND} setup --yes", within_s=SETUP_S, env=BOUNDS)
            assert "Accelerator: kvm (the guest's kernel boots on /dev/kvm)" in told
            yield found
    finally:
        client.close()


@pytest.fixture(scope="module")
def cgroups_before(machine: Machine) -> str:
    """Top of the machine's tree of control groups before the lab."""
    return machine.run(CGROUPS)


@pytest.fixture(scope="module")
def up(machine: Machine, cgroups_before: str) -> str:
    """Output of `./lab up deployment` on the machine."""
    return machine.timed(f"./lab up {LAB}", f"{LAB_COMMAND} up {LAB} --yes", within_s=UP_S, env=BOUNDS)


def model(cpuinfo: str) -> str:
    """The CPU's name."""
    return next(line for line in cpuinfo.splitlines() if line.startswith("model name"))


def test_it_is_such_a_machine(machine: Machine) -> None:
    """systemd is PID 1, cgroups are v2, AppArmor is on, Debian's own Docker Engine answers to a user without root."""
    assert machine.run("cat /proc/1/comm; stat -fc %T /sys/fs/cgroup; id -u") == "systemd\ncgroup2fs\n1000"
    assert machine.run("cat /sys/module/apparmor/parameters/enabled") == "Y"
    told = machine.run("docker info --format '{{.ServerVersion}} {{.CgroupVersion}} {{.CgroupDriver}}'")
    assert re.fullmatch(r"26\.\S+ 2 systemd", told)


def test_both_services_answer(machine: Machine, up: str) -> None:
    """`up` has ended with 0; each /whoami answers 200, asked by curl on the machine."""
    urls = re.findall(r"^ +(\S+-1) +(http://\S+/whoami)$", up, re.MULTILINE)
    assert [name for name, _ in urls] == ["vm-1", "container-1"]
    for name, url in urls:
        assert f'"{name}"' in machine.run(f"curl -fsS --max-time 60 {url}")
    assert "EMULATED CPU" not in up


@pytest.mark.usefixtures("up")
def test_libvirts_apparmor_profile_holds_for_the_servers_libvirtd(machine: Machine) -> None:
    """As on a machine with virt-manager; the VM runs all the same."""
    server = machine.run("docker ps -q --filter label=vm-vs-container.lab")
    confined = f"docker exec {server} sh -c 'cat /proc/$(pgrep -x libvirtd)/attr/current'"
    assert machine.run(confined) == "libvirtd (enforce)"


@pytest.mark.usefixtures("up")
def test_the_vm_has_the_machines_cpu(machine: Machine) -> None:
    """As a container has it."""
    own = model(machine.run("cat /proc/cpuinfo"))
    assert "Opteron" in own
    assert model(machine.run(f"{LAB_COMMAND} exec vm-1 cat /proc/cpuinfo", within_s=300)) == own


@pytest.mark.usefixtures("up")
def test_the_server_hands_on_every_controller(machine: Machine) -> None:
    """Whatever the engine put into the server's group while it started."""
    server = machine.run("docker ps -q --filter label=vm-vs-container.lab")
    files = "cgroup.controllers cgroup.subtree_control"
    available, handed_on = machine.run(f"docker exec -w /sys/fs/cgroup {server} cat {files}").splitlines()
    assert "memory" in available.split()
    assert set(handed_on.split()) == set(available.split())


@pytest.mark.usefixtures("up")
def test_the_containers_limit_is_set_below_its_server(machine: Machine) -> None:
    """The one group with the lab's limit lies in the server's group, and the container sees it."""
    found = machine.run(f"sudo grep -rlx {LIMIT_BYTES} /sys/fs/cgroup --include=memory.max").splitlines()
    server = machine.run("docker ps -q --no-trunc --filter label=vm-vs-container.lab")
    assert len(found) == 1
    assert found[0].startswith(f"/sys/fs/cgroup/system.slice/docker-{server}.scope/containers/")
    seen = machine.run(f"{LAB_COMMAND} exec container-1 cat /sys/fs/cgroup/memory.max", within_s=300)
    assert seen.splitlines()[-1] == str(LIMIT_BYTES)


@pytest.mark.usefixtures("up")
def test_the_machines_control_groups_are_not_littered(machine: Machine, cgroups_before: str) -> None:
    """Nothing of the server's stands beside the machine's own groups."""
    assert machine.run(CGROUPS) == cgroups_before


@pytest.mark.usefixtures("up")
def test_status_and_doctor_say_that_all_is_well(machine: Machine) -> None:
    """Both exit 0."""
    assert "✓" in machine.run(f"{LAB_COMMAND} status {LAB}", within_s=300)
    told = machine.run(f"{LAB_COMMAND} doctor", within_s=300, env=BOUNDS)
    assert "Debian GNU/Linux 13, cgroup v2: tried" in told


@pytest.mark.usefixtures("up")
def test_down_leaves_nothing(machine: Machine, cgroups_before: str) -> None:
    """No container, network, volume, interface or control group of ours."""
    machine.timed(f"./lab down {LAB}", f"{LAB_COMMAND} down {LAB}", within_s=DOWN_S, env=BOUNDS)
    label = "--filter label=vm-vs-container.lab"
    assert machine.run(f"docker ps -aq {label}; docker volume ls -q {label}; docker network ls -q {label}") == ""
    assert machine.run("ls /sys/class/net | grep -c ^vvc || true") == "0"
    assert machine.run(CGROUPS) == cgroups_before
    assert machine.run("ls -d /sys/fs/cgroup/system.slice/docker-*.scope 2>/dev/null | wc -l") == "0"
