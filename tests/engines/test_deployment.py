"""`./lab up deployment`: a real VM and a real container run the service, and what is always true of them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
import requests

from infra import outputs
from infra.answers import Service
from tests.engines.real import LAB, ROOT, command, engine, inside, pulumi, tool
from tests.service import strace_order

pytestmark = pytest.mark.engine

SAME = re.compile(r"^\s*(\d+) unchanged$", re.MULTILINE)
CHANGED = re.compile(r"^\s*[-+~]+ *\d+ (created|updated|deleted|replaced|to )", re.MULTILINE)


def whoami(replica: outputs.Replica) -> dict[str, object]:
    answer = requests.get(f"{replica.url}/whoami", timeout=5)
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


def test_up_ends_with_addresses_and_what_to_try_next(
    up: subprocess.CompletedProcess[str], lab: outputs.Contract
) -> None:
    """Each replica's URL, the next commands and the plain Pulumi ones are printed; without KVM so is the banner."""
    for replica in lab.replicas:
        assert f"{replica.url}/whoami" in up.stdout
    for text in (f"./lab status {LAB}", f"./lab down {LAB}", 'eval "$(./lab env)"', f"pulumi destroy -s {LAB}"):
        assert text in up.stdout
    assert ("EMULATED CPU (TCG)" in up.stdout) == (lab.accelerator == "tcg")


def test_each_side_proves_what_it_is(lab: outputs.Contract) -> None:
    """A guest has a kernel of its own, booted apart from its server's; a container has its server's."""
    server = lab.servers[0].container
    boot_id = engine("exec", server, "cat", "/proc/sys/kernel/random/boot_id")
    for replica in lab.replicas:
        said = whoami(replica)
        assert (said["replica"], said["side"], said["version"]) == (replica.name, replica.side, lab.service_version)
        assert said["server"] == replica.server
        assert said["boot_id"] == inside(replica.name, "cat", "/proc/sys/kernel/random/boot_id")
        assert (said["boot_id"] == boot_id) == (replica.side == "container")


def test_both_sides_run_the_same_files(lab: outputs.Contract) -> None:
    """The service's files have the same digests, and Python and the service's packages the same versions."""
    files = "cd /opt/vvc-service && sha256sum service/*.py && cat service/release.json"
    packages = "dpkg-query -W -f '${Package} ${Version}\\n' python3 python3-starlette python3-uvicorn libc6"
    told = {replica.side: inside(replica.name, "sh", "-c", f"{files}; {packages}") for replica in lab.replicas}
    assert told["vm"] == told["container"]
    assert "python3-starlette" in told["vm"]


def test_a_write_is_kept_on_both_sides(lab: outputs.Contract) -> None:
    """201, then 200 for the same again, then it is read back once."""
    for replica in lab.replicas:
        entry = {"client": "engine-test", "seq": 1, "payload": "x"}
        with Service(replica.url, 10) as client:
            assert client.post("/entries", json=entry).status_code in (200, 201)
            assert client.post("/entries", json=entry).status_code == 200
            answer = client.get("/entries", params={"client": "engine-test", "after": "0"}).json()
        assert [one["seq"] for one in answer["entries"]] == [1]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("flags", [(), ("--refresh",)], ids=["plain", "refresh"])
def test_a_second_up_changes_nothing(flags: tuple[str, ...]) -> None:
    """Every resource is unchanged."""
    done = pulumi("up", "--yes", *flags, timeout_s=120)
    assert SAME.search(done.stdout), done.stdout
    assert not CHANGED.search(done.stdout), done.stdout


def test_status_tells_the_same_as_json(lab: outputs.Contract) -> None:
    """Exit 0, every replica with its answer."""
    assert "✓" in tool("status", LAB).stdout
    found = json.loads(tool("status", LAB, "--json").stdout)[LAB]
    assert found["state"] == "up"
    assert [replica["answer"]["replica"] for replica in found["replicas"]] == [replica.name for replica in lab.replicas]


def test_exec_passes_the_exit_status_on(lab: outputs.Contract) -> None:
    """On both sides; and an unknown replica is named with those that there are."""
    for replica in lab.replicas:
        assert tool("exec", replica.name, "sh", "-c", "exit 3", check=False).returncode == 3
        assert tool("exec", replica.name, "false", check=False).returncode == 1
    done = tool("exec", "vm-9", check=False)
    assert done.returncode == 1
    assert "There is no replica 'vm-9'. There is: vm-1, container-1, server-1." in done.stderr


def test_keys_and_sockets_are_the_owners_alone(lab: outputs.Contract) -> None:
    """Keys 0600 and never in Pulumi's state; the folder of sockets 0700."""
    key = ROOT / ".state" / LAB / "id_ed25519"
    assert key.stat().st_mode & 0o777 == 0o600
    folder = Path(lab.servers[0].docker_host.removeprefix("unix://")).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    secret = "".join(key.read_text(encoding="utf-8").splitlines()[1:-1])[:40]
    state = pulumi("stack", "export", "--show-secrets").stdout
    assert secret not in state
    assert "PRIVATE KEY" not in state


def test_nothing_listens_beyond_loopback_and_the_lan(lab: outputs.Contract) -> None:
    """On the laptop no new port; in the server only the containers' published ports."""
    listening = command(["docker", "exec", lab.servers[0].container, "ss", "-Hltun"]).stdout
    beyond = {
        line.split()[4]
        for line in listening.splitlines()
        if not line.split()[4].startswith(("127.", "[::1]")) and "%br0" not in line
    }
    ports = {address.rsplit(":", 1)[1] for address in beyond}
    assert ports == {replica.url.rsplit(":", 1)[1] for replica in lab.side("container")}
    laptop = command(["ss", "-Hltnp"]).stdout
    assert not [
        line
        for line in laptop.splitlines()
        if re.search("dockerd|containerd|libvirtd|qemu", line) and not re.search(r"127\.0\.0\.1:|\[::1\]:", line)
    ]


@pytest.mark.usefixtures("lab")
def test_git_sees_no_change_while_the_lab_is_up() -> None:
    """Nothing that a lab makes is a change of the checkout."""
    assert command(["git", "status", "--porcelain", "Pulumi.deployment.yaml", "Pulumi.yaml"]).stdout == ""


STRACE_DIR = "/tmp/strace"


def strace_of(replica: outputs.Replica, server: str) -> list[str]:
    """The command that runs strace on a replica's service, which is attached by `-p PID` at its end."""
    if replica.side == "container":
        pid = engine("exec", server, "docker", "inspect", "-f", "{{.State.Pid}}", replica.handle)
        return ["docker", "exec", server, "timeout", "60", "strace", *strace_order.STRACE_OPTIONS, "-p", pid]
    # The guest has no strace: it gets the server's, which is of the same Debian release.
    bundle = "tar -ch $(command -v strace) $(ldd $(command -v strace) | grep -o '/[^ ]*')"
    packed = subprocess.run(["docker", "exec", server, "sh", "-c", bundle], capture_output=True, check=True, timeout=60)
    subprocess.run(
        [str(ROOT / "lab"), "exec", replica.name, "sh", "-c", f"mkdir -p {STRACE_DIR} && tar -x -C {STRACE_DIR}"],
        input=packed.stdout,
        check=True,
        timeout=60,
    )
    pid = inside(replica.name, "systemctl", "show", "-P", "MainPID", "vvc-service")
    libraries = f"LD_LIBRARY_PATH={STRACE_DIR}/lib/x86_64-linux-gnu:{STRACE_DIR}/usr/lib/x86_64-linux-gnu"
    strace = ["env", libraries, "timeout", "60", f"{STRACE_DIR}/usr/bin/strace", *strace_order.STRACE_OPTIONS]
    return [str(ROOT / "lab"), "exec", replica.name, *strace, "-p", pid]


def end_strace(replica: outputs.Replica, server: str) -> None:
    """It lets go of the service, which lives on."""
    if replica.side == "container":
        engine("exec", server, "pkill", "-x", "strace")
    else:
        inside(replica.name, "pkill", "-x", "strace")


def test_201_leaves_after_fsync_on_both_sides(lab: outputs.Contract) -> None:
    """Seen by strace at each side's service: an fsync of the write has returned before the answer is sent."""
    for replica in lab.replicas:
        tracing = subprocess.Popen(
            strace_of(replica, lab.servers[0].container),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert tracing.stderr is not None
        lines = [next(line for line in tracing.stderr if "attached" in line)]
        with Service(replica.url, 20) as client:
            for seq in range(5):
                entry = {"client": f"strace-{time.time_ns()}", "seq": seq, "payload": "x"}
                assert client.post("/entries", json=entry).status_code == 201
        for line in tracing.stderr:
            lines.append(line)
            if sum('"HTTP/1.1 201 ' in one for one in lines) == 5:
                break
        end_strace(replica, lab.servers[0].container)
        lines.append(tracing.communicate(timeout=60)[1])
        trace = "".join(lines)
        order = strace_order.check_order(trace)
        assert order.holds, f"{replica.name}: {order}\n{trace[-3000:]}"
        assert order.acknowledged == 5
