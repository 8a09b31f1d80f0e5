"""Bad input through the real Pulumi and the real tool: the exact message, a failure, and nothing created."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from infra import plan
from labkit.system import stack_files
from labkit.system.paths import CHECKOUT_ID
from tests.engines.real import LAB, ROOT, SHORT_S, UP_S, command, engine, pulumi, tool

pytestmark = pytest.mark.engine

STACK_FILE = ROOT / f"Pulumi.{LAB}.yaml"
CHANGE = f"Change it: pulumi config set {{}} VALUE -s {LAB}"
WHOLE = "a whole number from {} to {} is needed."
KEYS = (
    "topology, servers, paths, nat_subnet, sides, replicas, vcpus, memory_mib, disk_gib, accelerator, service_version, "
    "subnet"
)
PATHS = "all is needed, or some of bridged, nat, published, address, host, each once, with commas between them."
NETWORK = "a private IPv4 network of 24 bits such as "

# Configuration -> every message that it must give, all in one run.
CONFIGS: dict[str, tuple[dict[str, object], list[str]]] = {
    "a mistyped key, no replica, too little memory": (
        {"replica": 2, "replicas": 0, "memory_mib": 100},
        [
            f"'replica' is no configuration key; there are {KEYS}. Remove it: pulumi config rm replica -s {LAB}",
            f"replicas is '0': {WHOLE.format(1, 32)} {CHANGE.format('replicas')}",
            f"memory_mib is '100': {WHOLE.format(256, 1024 * 1024)} {CHANGE.format('memory_mib')}",
        ],
    ),
    "less than none, and another subnet than a lab may have": (
        {"replicas": -1, "subnet": "8.8.8.0/24"},
        [
            f"replicas is '-1': {WHOLE.format(1, 32)} {CHANGE.format('replicas')}",
            "subnet is '8.8.8.0/24': a private IPv4 network of 24 bits such as ",
        ],
    ),
    "too many replicas, an engine that is none": (
        {"replicas": 1000, "sides": "vm,docker"},
        [
            f"replicas is '1000': {WHOLE.format(1, 32)} {CHANGE.format('replicas')}",
            "sides is 'vm,docker': one of vm,container - vm - container is needed. " + CHANGE.format("sides"),
        ],
    ),
    "more memory than there is": (
        {"memory_mib": 1000000},
        ["memory_mib is 1000000 for 1 replicas on 2 sides, 2000000 MiB in all: this machine has "],
    ),
    "a path twice, too small a network behind NAT, too many replicas": (
        {"paths": "nat,published,nat", "nat_subnet": "10.9.8.0/28", "replicas": 33},
        [
            f"paths is 'nat,published,nat': {PATHS} {CHANGE.format('paths')}",
            f"nat_subnet is '10.9.8.0/28': {NETWORK}",
            f"replicas is '33': {WHOLE.format(1, 32)} {CHANGE.format('replicas')}",
        ],
    ),
    "a path that is none, and NAT in the lab's own LAN": (
        {"paths": "bridged,macvlan", "nat_subnet": "10.9.8.0/24", "subnet": "10.9.8.0/24"},
        [
            f"paths is 'bridged,macvlan': {PATHS} {CHANGE.format('paths')}",
            f"nat_subnet is '10.9.8.0/24': 10.9.8.0/24 overlaps 10.9.8.0/24, which the LAN of {LAB} uses; choose ",
        ],
    ),
    "no path, and NAT where nobody's own networks are": (
        {"paths": "", "nat_subnet": "8.8.8.0/24"},
        [f"paths is '': {PATHS} {CHANGE.format('paths')}", f"nat_subnet is '8.8.8.0/24': {NETWORK}"],
    ),
    "more replicas along all paths than there are addresses for": (
        {"paths": "all", "replicas": 11},
        [
            "replicas is 11 for each of 3 paths, 33 containers in all: a side of the topology "
            f"single has 32 at most. Lower replicas or paths: pulumi config set replicas N -s {LAB}"
        ],
    ),
    "no number": (
        {"replicas": "two"},
        [f"validating stack config: Stack '{LAB}' with configuration key 'replicas' must be of type 'integer'"],
    ),
}

ALWAYS = {
    "a mistyped key, no replica, too little memory",
    "more memory than there is",
    "more replicas along all paths than there are addresses for",
    "no number",
}
"""Several problems at once, one of the machine's, one of several keys together, and one that Pulumi itself finds. The
others are told the same way; tests/unit/test_settings.py has the rule and the words of each."""


@pytest.fixture(autouse=True)
def nothing_is_created() -> Iterator[None]:
    """In the engine, after each of these."""
    label = f"label={plan.CHECKOUT_LABEL}={CHECKOUT_ID}"

    def objects() -> str:
        return engine("ps", "-aq", "--filter", label) + engine("volume", "ls", "-q", "--filter", label)

    before = objects()
    yield
    assert objects() == before


def preview(values: dict[str, object], folder: Path) -> subprocess.CompletedProcess[str]:
    """`pulumi preview` with a copy of the stack file that holds these values."""
    stack = yaml.safe_load(STACK_FILE.read_text(encoding="utf-8"))
    stack["config"] = {f"{plan.PROJECT}:{key}": value for key, value in values.items()}
    file = folder / STACK_FILE.name
    file.write_text(yaml.safe_dump(stack), encoding="utf-8")
    return pulumi("preview", "--config-file", str(file), check=False)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.long) for name in CONFIGS]
)
def test_all_problems_of_a_configuration_are_told_at_once(name: str, tmp_path: Path) -> None:
    """By Pulumi, before any resource."""
    values, messages = CONFIGS[name]
    done = preview(values, tmp_path)
    assert done.returncode != 0
    for message in messages:
        assert message in done.stdout + done.stderr


def test_kvm_without_kvm_and_subnets_in_use(tmp_path: Path) -> None:
    """What this machine has decides: its accelerator, and the network of its own engine."""
    machine = json.loads((ROOT / ".state" / "machine.json").read_text(encoding="utf-8"))
    used = json.loads(engine("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]["Subnet"]
    subnet = str(next(IPv4Network(used).subnets(new_prefix=24)))
    values = {"accelerator": "kvm", "subnet": subnet, "nat_subnet": subnet, "paths": "nat", "vcpus": 0}
    done = preview(values, tmp_path)
    told = done.stdout + done.stderr
    assert done.returncode != 0
    overlaps = f"subnet is '{subnet}': {subnet} overlaps {used}, which Docker network bridge uses; choose another."
    assert all(f"\n    {message}" in told or f"error: {message}" in told for message in (overlaps, f"nat_{overlaps}"))
    assert ("accelerator is 'kvm': KVM does not work on this machine" in told) == (machine["accelerator"] != "kvm")


def test_a_name_that_something_foreign_has_is_refused() -> None:
    """A container called as our server, without our labels; it stays untouched."""
    name = plan.Plan(CHECKOUT_ID, LAB, IPv4Network("10.0.0.0/24")).name("server-1")
    tool("down", LAB)
    image = json.loads((ROOT / ".state" / "machine.json").read_text(encoding="utf-8"))["server_image"]
    foreign = engine("create", "--name", name, image, "true")
    try:
        done = tool("up", LAB, "--yes", check=False, timeout_s=UP_S)
        assert done.returncode == 1
        told = done.stdout + done.stderr
        assert f"The container {name} is not this lab's (its labels differ). Rename or remove it first." in told
        log = Path(told.rsplit("  Log: ", 1)[1].strip())
        assert f"The container {name} is not this lab's" in log.read_text(encoding="utf-8"), (
            "what Pulumi said is in the log as well"
        )
        assert engine("inspect", "--format", "{{.Id}}", name) == foreign
    finally:
        engine("rm", "-f", name)
        tool("down", LAB)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout beside ours that is not set up; its packages are ours."""
    path = tmp_path / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(path)])
    return path


def labkit(checkout: Path, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """./lab of another checkout, without its launcher (which would make its venv first)."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    return subprocess.run(
        [str(ROOT / ".venv" / "bin" / "python"), "-m", "labkit", *words],
        cwd=cwd or checkout,
        env={**clean, "PYTHONPATH": str(checkout), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SHORT_S,
        check=False,
        encoding="utf-8",
    )


def test_a_missing_and_a_broken_stack_file_are_named(copy: Path) -> None:
    file = copy / f"Pulumi.{LAB}.yaml"
    file.write_text("config: [oops\n", encoding="utf-8")
    done = labkit(copy, "up", LAB)
    assert done.returncode == 1
    assert done.stderr.startswith(f"✗ The stack file {file.name} cannot be read: while parsing a flow sequence")
    assert done.stderr.endswith(f"  Next: git diff {file.name}; git checkout -- {file.name}\n")
    file.unlink()
    done = labkit(copy, "up", LAB)
    assert done.returncode == 1
    assert done.stderr == (
        f"✗ The stack file {file.name} is gone from {copy}.\n  Next: git checkout -- '{file.name}'\n"
    )


def test_run_from_another_folder(tmp_path: Path) -> None:
    """The tool works from everywhere; Pulumi itself says that it needs the project's folder."""
    elsewhere = command([str(ROOT / "lab"), "status", "--json"], cwd=tmp_path, check=False)
    assert list(json.loads(elsewhere.stdout)) == stack_files.names()
    plain = command(["pulumi", "preview", "-s", LAB, "--non-interactive"], cwd=tmp_path, check=False)
    assert plain.returncode != 0
    assert "no Pulumi.yaml project file found" in plain.stderr


def test_no_network_during_set_up_is_named(copy: Path, tmp_path: Path) -> None:
    """With empty caches, in a network namespace that has nothing."""
    words = ["unshare", "-n", str(ROOT / ".venv" / "bin" / "python"), "-m", "labkit", "setup", "--yes"]
    env = {**os.environ, "PYTHONPATH": str(copy), "VVC_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        words, cwd=copy, env=env, capture_output=True, text=True, timeout=SHORT_S, check=False, encoding="utf-8"
    )
    assert done.returncode == 1
    assert "Check the network" in done.stderr or "8 GiB" in done.stderr
    assert not (copy / ".state" / "machine.json").exists()


@pytest.mark.long
def test_a_disk_that_is_full_while_images_are_built_is_named(copy: Path, tmp_path: Path) -> None:
    """A cache of 64 MiB; the toolchain is there already."""
    small = tmp_path / "small"
    small.mkdir()
    command(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)])
    try:
        home = Path(os.environ.get("VVC_CACHE") or Path.home() / ".cache" / plan.PROJECT)
        (small / "toolchain").symlink_to(home / "toolchain")
        done = labkit(copy, "setup", "--yes", VVC_CACHE=str(small))
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Next: the disk is full: free some space" in done.stderr
    finally:
        command(["umount", str(small)])
    assert not (copy / ".state" / "machine.json").exists()


def test_a_bundle_of_the_real_state_holds_no_key(tmp_path: Path) -> None:
    """`./lab doctor --bundle FILE`, searched for this checkout's own key material."""
    file = tmp_path / "bug.tar.gz"
    tool("doctor", "--bundle", str(file))
    with tarfile.open(file) as archive:
        members = [stream.read() for member in archive.getmembers() if (stream := archive.extractfile(member))]
    text = b"\n".join(members).decode()
    assert len(members) > 4
    key = ROOT / ".state" / LAB / "id_ed25519"
    secrets = [line for line in key.read_text(encoding="utf-8").splitlines() if not line.startswith("-----")]
    secrets += [
        key.with_suffix(".pub").read_text(encoding="utf-8").split()[1],
        yaml.safe_load(STACK_FILE.read_text(encoding="utf-8"))["encryptionsalt"],
    ]
    for secret in (*secrets, "PRIVATE KEY", f"{Path.home()}/"):
        assert secret not in text
