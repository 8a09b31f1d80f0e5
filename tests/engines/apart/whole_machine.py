"""A whole machine as users have it: Debian 13 with its own kernel, systemd, cgroup v2, Docker Engine and KVM.

The laptop has no QEMU, the server image has: the machine runs, emulated, in a container of it. It reaches no network,
so that what set-up would download or build lies on its disk beforehand: the cache, the servers' images, the Python
packages. Set-up itself runs in it and finds them as it finds its own.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from packaging.requirements import Requirement

from infra import plan
from labkit.setup.building import _context, images, workshop
from labkit.setup.building import base as images_base
from labkit.setup.building.images import Images
from labkit.setup.tools import build
from labkit.system import paths, shell
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet

RECIPE = Path(__file__).with_name("debian13")
USER = "user"
CHECKOUT = f"/home/{USER}/{plan.PROJECT}"
PYTHON = "3.13"
"""Debian 13's."""

WITHIN_S = 60 * 60
"""Bound of everything that happens on the machine."""

BOOT_S = 15 * 60
_ASSEMBLE_S = 20 * 60
_FETCH_S = 10 * 60
_ANSWER_S = 120
_PORTS_S = 20
_MEMORY_MIB = 6144
_SHARES = 512
"""Half of a process's weight: who works beside this is not to feel it."""

_NAME = "tests-machine"
_LABELS = {plan.LAB_LABEL: _NAME, plan.CHECKOUT_LABEL: paths.CHECKOUT_ID}
Say = Callable[[str], None]


@dataclass
class Machine:
    """A machine that runs: its sshd answers on loopback."""

    port: int
    key: Path
    container: Any
    deadline: float
    say: Say

    def run(self, command: str, *, within_s: float = _ANSWER_S, env: Mapping[str, str] | None = None) -> str:
        """Run a shell command as a user without root; its output. Fails the test with output and console."""
        done = self.attempt(command, within_s=within_s, env=env)
        if not done.ok:
            pytest.fail(f"{command}: {done.ending}\n{done.output[-5000:]}\nConsole:\n{self.console()}")
        return done.output.strip()

    def attempt(self, command: str, *, within_s: float = _ANSWER_S, env: Mapping[str, str] | None = None) -> Outcome:
        """The same, whatever its end is."""
        bound_s = min(within_s, self.deadline - time.monotonic())
        if bound_s <= 0:
            pytest.fail(f"{command}: the machine's {WITHIN_S} s are over\nConsole:\n{self.console()}")
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
        flags = [word for option in [*options, f"ConnectTimeout={_ANSWER_S}"] for word in ("-o", option)]
        words = ["ssh", *flags, "-i", str(self.key), "-p", str(self.port), f"{USER}@127.0.0.1"]
        variables = "".join(f"export {name}={value}; " for name, value in (env or {}).items())
        return shell.run([*words, variables + command], timeout_s=bound_s, on_line=self.say, check=False)

    def timed(self, what: str, command: str, *, within_s: float, env: Mapping[str, str] | None = None) -> str:
        """`run`, and say how long it took."""
        begin = time.monotonic()
        output = self.run(command, within_s=within_s, env=env)
        self.say(f"TIME {what}: {time.monotonic() - begin:.0f} s")
        return output

    def console(self) -> str:
        """The last lines of the machine's serial console."""
        return "\n".join(self.container.logs(tail=25).decode(errors="replace").splitlines())


@contextlib.contextmanager
def running(engine: docker.DockerClient, say: Say) -> Iterator[Machine]:
    """Make the machine's disk, boot it, wait for its sshd; nothing of it is left at the end."""
    ready = images.ensure(engine, Quiet())
    images.ensure_cluster(engine, Quiet())
    with tempfile.TemporaryDirectory(prefix="vvc-machine-") as folder, contextlib.ExitStack() as undo:
        work = Path(folder)
        key = work / "id_ed25519"
        _command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], 30)
        begin = time.monotonic()
        disk = _make_disk(engine, ready, work, key.with_suffix(".pub"), say)
        say(f"TIME making the disk: {time.monotonic() - begin:.0f} s")
        begin = time.monotonic()
        # Not the engine's own bridge: ssh's packets come from its address, which the machine's engine has as well.
        pool = docker.types.IPAMPool(subnet=str(plan.default_subnet(paths.CHECKOUT_ID, _NAME)))
        network = engine.networks.create(
            f"{plan.PREFIX}-{paths.CHECKOUT_ID}-{_NAME}",
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            labels=_LABELS,
        )
        undo.callback(network.remove)
        container = engine.containers.run(
            ready.server,
            entrypoint=["sh", "/recipe/boot.sh"],
            environment={"WITHIN_S": str(WITHIN_S), "MEMORY_MIB": str(_MEMORY_MIB)},
            volumes={str(disk): {"bind": "/out"}, str(RECIPE): {"bind": "/recipe", "mode": "ro"}},
            network=network.name,
            ports={"22/tcp": ("127.0.0.1", 0)},
            healthcheck={"test": ["NONE"]},
            labels=_LABELS,
            cpu_shares=_SHARES,
            init=True,
            detach=True,
        )
        undo.callback(container.remove, force=True, v=True)
        machine = Machine(_published(container), key, container, begin + WITHIN_S, say)
        _wait_for_sshd(machine)
        say(f"TIME boot until sshd answers: {time.monotonic() - begin:.0f} s")
        yield machine


def _wait_for_sshd(machine: Machine) -> None:
    begin = time.monotonic()
    while not (tried := machine.attempt("true")).ok:
        elapsed = time.monotonic() - begin
        machine.container.reload()
        if elapsed > BOOT_S or machine.container.status != "running":
            pytest.fail(
                f"The machine ({machine.container.status}) does not answer by ssh after {elapsed:.0f} s "
                f"(bound {BOOT_S} s): {tried.output.strip()}\nConsole:\n{machine.console()}"
            )
        machine.say(f"booting, {elapsed:.0f} s")
        time.sleep(3)


def _published(container: Any) -> int:
    deadline = time.monotonic() + _PORTS_S
    while time.monotonic() < deadline:
        container.reload()
        if container.status == "exited":
            break
        if found := container.ports.get("22/tcp"):
            return int(found[0]["HostPort"])
        time.sleep(0.1)
    raise AssertionError(f"the machine's container has no published port: {container.logs()[-500:]!r}")


def _make_disk(engine: docker.DockerClient, ready: Images, work: Path, public: Path, say: Say) -> Path:
    """Folder with disk, kernel and initrd of the machine."""
    source, disk = work / "in", work / "out"
    for folder in (source, disk):
        folder.mkdir()
    shutil.copy(public, source / "authorized_keys")
    say("its packages")
    tag = _container_image(engine, ready)
    try:
        say("its checkout")
        _checkout(engine, tag, source / "checkout", work)
        workshop.export_rootfs(engine, tag, source / "rootfs.tar")
    finally:
        engine.images.remove(tag, force=True)
    say("the servers' images")
    (source / "images").mkdir()
    for tag in (ready.server_tag, ready.cluster_tag):
        with (source / "images" / f"{tag.rsplit('/', 1)[1]}.tar").open("wb") as file:
            file.writelines(engine.images.get(tag).save(named=tag))
    build.ensure(Quiet())
    parts = [f"base-{images_base.RELEASE}", ready.guest_dir.name, ready.container_dir.name]
    say("its disk image")
    workshop.run(
        engine,
        ready.server_tag,
        ["env", "SIZE=20G", "sh", "/recipe/assemble.sh", *parts],
        folders={source: "/in", RECIPE: "/recipe", paths.cache(): "/cache"},
        out=(disk, "/out"),
        within_s=_ASSEMBLE_S,
    )
    shutil.rmtree(source)
    return disk


def _container_image(engine: docker.DockerClient, ready: Images) -> str:
    if workshop.image_id(engine, ready.base) is None:
        base = images_base.load(images.folder())
        assert base is not None
        workshop.import_rootfs(engine, base.rootfs, ready.base)
    tag = f"{plan.PROJECT}/test-machine:{paths.CHECKOUT_ID}"
    contents = {name.split("/", 1)[1]: file for name, file in _context.files(RECIPE).items()}
    workshop.build(engine, contents, "Dockerfile", tag=tag, arguments={"BASE": ready.base}, progress=Quiet())
    return tag


def _checkout(engine: docker.DockerClient, tag: str, target: Path, work: Path) -> None:
    """This checkout as a person would have it, with .venv as its launcher makes it on Debian 13."""
    listed = _command(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], 30)
    for name in filter(None, listed.split("\0")):
        if (paths.CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.CHECKOUT / name, target / name)
    wheels = work / "wheels"
    # By this Python's pip, which knows this network's index, certificates and proxy.
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
    choice = ["--only-binary=:all:", "--python-version", PYTHON, "--dest", str(wheels)]
    chosen = work / "requirements.txt"
    chosen.write_text(_required((paths.CHECKOUT / "requirements.txt").read_text(encoding="utf-8")), encoding="utf-8")
    _command([*download, *choice, "-r", str(chosen)], _FETCH_S)
    container = engine.containers.create(
        tag,
        command=["./lab", "--help"],
        working_dir=CHECKOUT,
        environment={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"},
        volumes={str(target): {"bind": CHECKOUT}, str(wheels): {"bind": "/wheels", "mode": "ro"}},
        labels=_LABELS,
        network_mode="none",
    )
    try:
        container.start()
        status = container.wait(timeout=_FETCH_S)["StatusCode"]
        assert status == 0, container.logs(tail=25).decode(errors="replace")
    finally:
        container.remove(force=True, v=True)


def _required(text: str) -> str:
    """The requirements that PYTHON has, without their markers: `pip download` judges those by its own Python."""
    environment = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line or line[0] in " #":
            continue
        requirement, *hashes = line.split(" --hash=")
        one = Requirement(requirement)
        if one.marker is None or one.marker.evaluate(environment):
            one.marker = None
            found.append(" --hash=".join([str(one), *(each.strip() for each in hashes)]))
    return "\n".join(found) + "\n"


def _command(words: list[str], within_s: float) -> str:
    done = subprocess.run(
        words,
        cwd=paths.CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{words} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
