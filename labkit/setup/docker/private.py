"""The private Docker Engine: start, stop, remove. As root; `python -m labkit.setup.docker.private` is what sudo runs.

It has its own data, socket and configuration (none: the machine's daemon.json is not read) and starts its own
containerd. It outlives ./lab and ends with `./lab engine --stop` or the machine.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra import engine_client, environment
from infra.listening import listens
from labkit.setup.docker import _daemons, _network
from labkit.system import mounts, processes, root
from labkit.system.errors import LabError
from labkit.system.locks import held
from labkit.system.waiting import until

DATA_VARIABLE, RUN_VARIABLE = "VVC_ENGINE_DIR", "VVC_ENGINE_RUN"
_START_S = 60.0
_STOP_S = 60.0
"""More than Docker's own bound for stopping its containers (15 s, dockerd --shutdown-timeout)."""

_KILL_S = 10.0
_SPAWN_S = 2.0
"""By then its process is there, or has ended."""

_LOCK_S = 90.0
_PING_S = 5
_SUN_PATH = 108
_NETWORK_VARIABLES = (*environment.PROXIES, *environment.CERTIFICATES)
"""What dockerd pulls with."""

_KEPT_VARIABLES = ("HOME", *_NETWORK_VARIABLES)
TAKEN_VARIABLES = (DATA_VARIABLE, RUN_VARIABLE, *_NETWORK_VARIABLES)
"""What sudo must let through to a start."""


@dataclass(frozen=True)
class Folders:
    """Where the private engine lives: `data` outlives a boot, `run` does not."""

    data: Path
    run: Path

    @classmethod
    def here(cls) -> Folders:
        """The machine's, or those that VVC_ENGINE_DIR and VVC_ENGINE_RUN name."""
        data = os.environ.get(DATA_VARIABLE) or "/var/lib/vm-vs-container/engine"
        return cls(Path(data), Path(os.environ.get(RUN_VARIABLE) or "/run/vvc-engine"))

    @property
    def socket(self) -> Path:
        """The engine's Unix socket."""
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        """The engine's URL."""
        return f"unix://{self.socket}"

    @property
    def pidfile(self) -> Path:
        """Where dockerd notes its process id; on its command line, so that we know it again."""
        return self.run / "docker.pid"

    @property
    def exec_root(self) -> Path:
        """What dockerd and its containerd keep while they run."""
        return self.run / "exec"

    @property
    def log(self) -> Path:
        """What dockerd says."""
        return self.run / "docker.log"

    @property
    def previous_log(self) -> Path:
        """What the one before it said, which may have ended unasked."""
        return self.run / "docker.log.1"

    @property
    def before(self) -> Path:
        """The note of the machine's network before the start."""
        return self.data / "vvc-before.json"


def traces(folders: Folders) -> bool:
    """Whether there is something to stop or to clean, as far as this account can see."""
    return folders.run.exists() or _daemons.dockerd(folders.pidfile) is not None


def other_engines(folders: Folders) -> list[int]:
    """Process ids of other dockerds that use this network namespace."""
    return _daemons.other_dockerds(folders.pidfile)


def start(folders: Folders, uid: int, gid: int) -> None:
    """Start the engine, for that account, unless it runs; return when it answers."""
    _check(folders)
    folders.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    folders.run.chmod(0o700)
    os.chown(folders.run, uid, gid)
    with _locked(folders):
        if _daemons.dockerd(folders.pidfile) is None:
            _clear(folders)
            folders.data.mkdir(parents=True, exist_ok=True, mode=0o710)
            if _network.load(folders.before) is None:
                _network.save(_network.look(), folders.before)
            _launch(folders, gid)
        begun = time.monotonic()

        def over() -> bool:
            gone = time.monotonic() - begun > _SPAWN_S and _daemons.dockerd(folders.pidfile) is None
            return gone or _answers(folders)

        if not until(over, _START_S) or not _answers(folders):
            said = (
                "\n".join(folders.log.read_text(errors="replace", encoding="utf-8").splitlines()[-8:])
                if folders.log.exists()
                else ""
            )
            raise LabError(f"The private Docker Engine did not start; it said:\n{said}", hint=f"less {folders.log}")
        before = _network.load(folders.before)
        if before is not None and before.after is None:
            _network.save(dataclasses.replace(before, after=_network.read_sysctls()), folders.before)


def restart(folders: Folders, uid: int, gid: int) -> None:
    """Start the engine anew, with all that it makes at a start; its containers are stopped, their data stays."""
    with _locked(folders):
        pid = _daemons.dockerd(folders.pidfile)
        if pid is not None:
            _end(pid)
    start(folders, uid, gid)


def stop(folders: Folders, say: Callable[[str], None]) -> None:
    """Stop the engine and its containers, and take back what it changed in the machine's network."""
    if not folders.run.is_dir():
        return
    with _locked(folders):
        before = _network.load(folders.before)
        if before is not None and before.after is None:  # its start was interrupted
            before = dataclasses.replace(before, after=_network.read_sysctls())
        pid = _daemons.dockerd(folders.pidfile)
        if pid is not None:
            _end(pid)
        _clear(folders)
        if other_engines(folders):
            say("Another Docker Engine runs here: rules, bridges and sysctls stay as they are.")
        else:
            _network.take_back(before)
            if before is None:
                say("What was there before its start is not known: the FORWARD policy and sysctls stay as they are.")
        folders.before.unlink(missing_ok=True)
        shutil.rmtree(folders.run)


def remove(folders: Folders) -> None:
    """Delete the data of the stopped engine."""
    if _daemons.dockerd(folders.pidfile) is not None:
        raise LabError("The private Docker Engine still runs.", hint="./lab engine --stop")
    if folders.data.exists():
        _check_data(folders.data)
        mounts.unmount(folders.data)
        shutil.rmtree(folders.data)


def _check(folders: Folders) -> None:
    """Everything that would keep the engine from starting, before anything is touched."""
    if root.which("dockerd") is None:
        raise LabError("No Docker Engine answers, and dockerd is not installed.", hint="./lab setup")
    problem = _daemons.cgroup_problem(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    if problem:
        raise LabError(problem, hint="mount them: apt-get install cgroupfs-mount, or boot with systemd")
    if len(str(folders.exec_root / "containerd" / "containerd-debug.sock")) >= _SUN_PATH:
        raise LabError(f"{folders.run} is too long for Unix sockets.", hint=f"choose a shorter {RUN_VARIABLE}")
    if folders.data.exists():
        _check_data(folders.data)


def _check_data(folder: Path) -> None:
    """It is empty or an engine's: so that a wrong VVC_ENGINE_DIR never costs a person's files."""
    if any(folder.iterdir()) and not (folder / "vvc-before.json").exists() and not (folder / "image").is_dir():
        raise LabError(f"{folder} is not empty and not an engine's data.", hint=f"correct {DATA_VARIABLE}")


def _launch(folders: Folders, gid: int) -> None:
    config = folders.run / "daemon.json"
    config.write_text("{}\n", encoding="utf-8")
    words = [
        # In a session of its own, and nobody's child but init's: it outlives this process and its terminal.
        *("setsid", "--fork"),
        root.which("dockerd") or "dockerd",
        *("--config-file", str(config)),
        *("--data-root", str(folders.data)),
        *("--exec-root", str(folders.exec_root)),
        *("--pidfile", str(folders.pidfile)),
        *("--group", str(gid)),
        *("--host", folders.host),
    ]
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    if folders.log.exists():
        folders.log.replace(folders.previous_log)
    with folders.log.open("wb") as log:
        subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment.for_engine(os.environ), **kept, "PATH": root.path()},
            cwd="/",
            timeout=_SPAWN_S,
            check=True,
        )


def _answers(folders: Folders) -> bool:
    if not listens(folders.socket):
        return False
    try:
        with engine_client.connected(folders.host, _PING_S) as client:
            return bool(client.ping())
    except engine_client.EngineError:
        return False


def _end(pid: int) -> None:
    """End dockerd: asked first, which stops its containers and its containerd."""
    for sign, wait_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _KILL_S)):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        if until(lambda: not processes.alive(pid), wait_s):
            return
    raise LabError(f"dockerd (process {pid}) does not end.", hint=f"look at it: cat /proc/{pid}/status")


def _clear(folders: Folders) -> None:
    """After a dockerd that was killed: end what it left running, unmount, delete stale files of process ids."""
    _daemons.end_orphans(folders.exec_root)
    mounts.unmount(folders.exec_root)
    mounts.unmount(folders.data)
    for stale in (folders.pidfile, folders.exec_root / "containerd" / "containerd.pid", folders.socket):
        stale.unlink(missing_ok=True)


@contextmanager
def _locked(folders: Folders) -> Iterator[None]:
    """One start or stop at a time."""
    too_long = LabError("Another ./lab has been starting or stopping the engine for long.", hint="wait; try again")
    with held(folders.run / "lock", _LOCK_S, too_long):
        yield


def main() -> int:
    """What sudo runs: VERB UID GID. Prints its news or its problem."""
    verb, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    begin = time.monotonic()
    try:
        if verb == "start":
            start(Folders.here(), uid, gid)
        elif verb == "restart":
            restart(Folders.here(), uid, gid)
        elif verb == "stop":
            stop(Folders.here(), _tell)
        else:
            remove(Folders.here())
    except LabError as error:
        _tell(f"{error.problem}\nAfter {time.monotonic() - begin:.0f} s. Next: {error.hint}")
        return 1
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
