"""The VM side: how one reaches into a guest, and what libvirt, QEMU and the guest's kernel and init know of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from infra import names
from infra.last_lines import CONSOLE_DIR
from infra.outputs import Replica, Server
from infra.plan import nat_ssh_port
from labkit.sides import _processes
from labkit.sides.protocol import COMPRESSOR, Event, Object, Port, Runner, Side, Sizes, Stats
from labkit.system.errors import CommandError, LabError
from labkit.system.waiting import until

_OFF_WITHIN_S = 60.0
_PRESS_AGAIN_S = 5.0
_COMPRESS_S = 300.0
_TICK_S = 0.01
"""Resolution of a process's start, proc(5)."""
_CLOCK_S = 0.02
"""How well the guest's boot is placed on the server's clock, see labkit.measure.clocks."""


_SIDE = "vm"
_REMOVE_DOMAIN = 'virsh destroy "$1" >/dev/null 2>&1; ! virsh dominfo "$1" >/dev/null 2>&1 || virsh undefine "$1"'
"""What an experiment has moved there is gone once it has ended: libvirt has no definition of it."""
_REMOVE_DISK = f'virsh vol-delete --pool {names.POOL} "$1"'
_MEND_NAT = f"""
[ -z "$(virsh -q net-list --inactive --name | grep -Fx -e "$1")" ] || virsh -q net-start "$1"
virsh -q list --name | while read -r guest; do
  virsh -q domiflist "$guest" | while read -r tap kind network _; do
    if [ "$kind $network" = "network $1" ]; then
      ip link set "$tap" master {names.NAT_BRIDGE}
      virsh dumpxml "$guest" | /etc/libvirt/hooks/qemu "$guest" reconnect begin -
    fi
  done
done
"""
"""A network that somebody stopped has lost its guests' taps; rules that somebody flushed are the hook's to make."""
_START_DOMAIN = """
case $(virsh -q domstate "$1") in
"shut off" | crashed) virsh -q start "$1" ;;
paused) virsh -q resume "$1" ;;
esac || true
"""
"""One that a person, its own `poweroff` or the end of its QEMU has switched off. What keeps it off, Pulumi says."""
_LOOK_AT_NETWORKS = """
virsh -q net-list --all --name | while read -r network; do
  [ -z "$network" ] || echo "nat-network $(virsh -q net-uuid "$network") $network"
done
"""
_LOOK_AT_DISKS = f"""
if virsh -q pool-refresh {names.POOL} >/dev/null 2>&1; then
  virsh -q vol-list {names.POOL} | awk '{{print "disk " $2 " " $1}}'
fi
"""


class Vm:
    """Replicas that are guests of the server's libvirt."""

    SUSPENDED = "its state saved to disk, its memory given back"
    STORAGE_DIR = "/var/lib/libvirt/images"
    OBJECTS = (
        Object(
            kind="domain",
            type="libvirt:index/domain:Domain",
            # In a server of a cluster those that run are the cluster's alone.
            look="pgrep -x pacemakerd >/dev/null || virsh -q list --all --uuid --name | sed 's/^/domain /'",
            made=re.compile(names.replicas(_SIDE)),
            remove=_REMOVE_DOMAIN,
            stray=_REMOVE_DOMAIN,
            mend=_START_DOMAIN,
        ),
        Object(
            kind="nat-network",
            type="libvirt:index/network:Network",
            look=_LOOK_AT_NETWORKS,
            made=re.compile(names.NAT_NETWORK),
            remove='virsh net-destroy "$1" >/dev/null 2>&1; ! virsh net-info "$1" >/dev/null 2>&1 || '
            'virsh net-undefine "$1"',
            mend=_MEND_NAT,
        ),
        Object(
            kind="disk",
            type="libvirt:index/volume:Volume",
            look=_LOOK_AT_DISKS,
            made=re.compile(names.guest_disks(_SIDE)),
            remove=_REMOVE_DISK,
            stray=_REMOVE_DISK,
        ),
        Object(
            kind="pool",
            type="libvirt:index/pool:Pool",
            look="virsh -q pool-list --all --uuid --name | sed 's/^/pool /'",
            made=re.compile(names.POOL),
            remove='virsh pool-destroy "$1" >/dev/null 2>&1; ! virsh pool-info "$1" >/dev/null 2>&1 || '
            'virsh pool-undefine "$1"',
        ),
    )
    PROCESSES = """
echo "replica $(cat "/run/libvirt/qemu/$1.pid")"
echo "daemon $(pgrep -x -o libvirtd)"
"""
    DISK = """
virsh domstats --block "$1" | sed -n 's/^ *block\\.0\\.physical=/overlay /p'
"""
    GUEST_MEMORY = ("cat", "/proc/meminfo")
    STATE = ("virsh", "--quiet", "domstate")
    WHERE = 'virsh -q list --name | grep -Fx -e "$1" || true'
    LEADER = "timeout 5 crmadmin -D 2>/dev/null | sed -n 's/^Designated Controller is: //p'"
    LOOK = f"tail -n 50 {CONSOLE_DIR}/{{name}}.console"
    HAS_KEY = True

    def exec_command(
        self,
        replica: Replica,
        server: Server,  # noqa: ARG002 - one protocol for all sides
        lab_dir: Path,
        command: Sequence[str],
        *,
        tty: bool,
    ) -> list[str]:
        """The command line that runs `command` (a login shell if empty) in the guest, as root, by ssh."""
        return [
            *("ssh", "-F", "none"),  # whatever the person's own configuration says of addresses, agents and jumps
            *(["-t"] if tty else []),
            *("-o", f"IdentityFile={_for_ssh(lab_dir / 'id_ed25519')}"),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "IdentityAgent=none"),
            *("-o", "GlobalKnownHostsFile=none"),
            *("-o", f"UserKnownHostsFile={_for_ssh(lab_dir / names.host_key_file(replica.name))}"),
            *("-o", "StrictHostKeyChecking=yes"),
            # An emulated guest on a busy machine takes more than 10 s to say who it is.
            *("-o", "ConnectTimeout=30"),
            *("-o", "LogLevel=ERROR"),
            *(["-p", str(nat_ssh_port(names.index(replica.name)))] if replica.path == "nat" else []),
            f"root@{replica.address or urlsplit(replica.url).hostname}",
            # ssh hands one text to a shell; quoted, the words arrive as they were given, as on the other side.
            *([shlex.join(command)] if command else []),
        ]

    def start(self, replica: Replica, run: Runner) -> None:
        """Start the shut-off domain; one with a saved state goes on from there."""
        run(["virsh", "--quiet", "start", replica.handle])

    def stop(self, replica: Replica, run: Runner) -> None:
        """Shut the guest down in order, by its power button; raises LabError when it is not off in time.

        The button is pressed again from time to time: a guest that serves already may not be listening to it yet.
        """

        def off() -> bool:
            return run(["virsh", "--quiet", "domstate", replica.handle]).output.strip() == "shut off"

        run(["virsh", "--quiet", "shutdown", replica.handle])
        for _ in range(int(_OFF_WITHIN_S / _PRESS_AGAIN_S)):
            if until(off, _PRESS_AGAIN_S, 0.2):
                return
            with suppress(CommandError):  # it may have gone off just now
                run(["virsh", "--quiet", "shutdown", replica.handle])
        raise LabError(
            f"The guest {replica.name} did not shut down within {_OFF_WITHIN_S:.0f} s.",
            hint=f"./lab exec {replica.name} journalctl -b",
        )

    def kill(self, replica: Replica, run: Runner) -> None:
        """Cut its power."""
        run(["virsh", "--quiet", "destroy", replica.handle])

    def suspend(self, replica: Replica, run: Runner) -> None:
        """Save the guest's state to the server's disk; QEMU ends."""
        run(["virsh", "--quiet", "managedsave", replica.handle], 120.0)

    def port(self, replica: Replica, run: Runner) -> Port:
        """The tap of its QEMU: what its adapter sends comes out there."""
        lines = run(["virsh", "--quiet", "domiflist", replica.handle]).output.splitlines()
        taps = [line.split()[0] for line in lines if line.strip()]
        if not taps:
            raise LabError(f"The guest {replica.name} has no adapter.", hint=f"virsh domiflist {replica.handle}")
        return Port(taps[0], "the tap of its QEMU")

    def stats(self, replica: Replica, run: Runner) -> Stats:
        """Of its QEMU; limits as its definition has them."""
        pss_bytes, cpu_s = _processes.usage(run, [_pid(replica, run)])
        domain = _xml(replica, run)
        return Stats(
            pss_bytes=pss_bytes,
            cpu_s=cpu_s,
            vcpus=float(domain.findtext("vcpu", "nan")),
            memory_mib=int(domain.findtext("memory", "0")) // 1024,
        )

    def sizes(self, replica: Replica, run: Runner) -> Sizes:
        """Of disk image, kernel and initrd in the pool; compressed: the three files one after the other."""
        domain = _xml(replica, run)
        source = domain.find("devices/disk[@device='disk']/source")
        if source is None:
            raise LabError(f"The domain {replica.handle} has no disk.", hint=f"virsh dumpxml {replica.handle}")
        where = [source.get("volume", ""), "--pool", source.get("pool", "")]
        overlay = run(["virsh", "--quiet", "vol-path", *where]).output.strip()
        chain = json.loads(run(["qemu-img", "info", "-U", "--backing-chain", "--output=json", overlay]).output)
        disk = chain[-1]
        boot = [str(domain.findtext(f"os/{part}")) for part in ("kernel", "initrd")]
        files = [disk["filename"], *boot]
        blocks = _blocks(run, files)
        apparent = _apparent(run, boot)
        pipe = f'cat "$@" | {" ".join(COMPRESSOR)} | wc -c'
        return Sizes(
            virtual_bytes=int(disk["virtual-size"]) + sum(apparent.values()),
            allocated_bytes=sum(blocks.values()),
            compressed_bytes=int(run(["sh", "-c", pipe, "sh", *files], _COMPRESS_S).output),
            parts={Path(file).name: size for file, size in blocks.items()},
            image=Path(disk["filename"]).name,
        )

    def events(self, replica: Replica, run: Runner, inside: Runner) -> tuple[Event, ...]:
        """When libvirt made QEMU's process, the guest's kernel began to count, and its init began."""
        init_us = inside(["systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"]).output
        return (
            Event(
                "libvirt makes QEMU's process",
                _processes.started_s(run, _pid(replica, run)),
                "server",
                "/proc/PID/stat of QEMU",
                _TICK_S,
            ),
            Event("QEMU loads the kernel", 0.0, "replica", "zero of the guest's kernel clock", _CLOCK_S),
            Event(
                "kernel and initrd", int(init_us) / 1e6, "replica", "systemd's UserspaceTimestampMonotonic", _CLOCK_S
            ),
        )


SIDE: Side = Vm()


def _for_ssh(path: Path) -> str:
    """A path as an option of ssh takes it: one word, in which a percent sign begins what it replaces."""
    text = str(path).replace("%", "%%").replace('"', '\\"')
    return f'"{text}"'


def _pid(replica: Replica, run: Runner) -> str:
    return run(["cat", f"/run/libvirt/qemu/{replica.handle}.pid"]).output.strip()


def _xml(replica: Replica, run: Runner) -> ElementTree.Element:
    text = run(["virsh", "--quiet", "dumpxml", "--inactive", replica.handle]).output
    return ElementTree.fromstring(text)  # noqa: S314 - libvirt's own answer


def _blocks(run: Runner, files: Sequence[str]) -> dict[str, int]:
    lines = run(["du", "--block-size=1", *files]).output.splitlines()
    return {file: int(size) for size, file in (line.split(maxsplit=1) for line in lines)}


def _apparent(run: Runner, files: Sequence[str]) -> dict[str, int]:
    lines = run(["stat", "--format=%s %n", *files]).output.splitlines()
    return {file: int(size) for size, file in (line.split(maxsplit=1) for line in lines)}
