"""The VM's cluster: Pacemaker on Corosync, with fencing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from xml.etree import ElementTree

from infra import answers
from infra.outputs import Replica, Server
from infra.plan import SERVICE_PORT
from labkit.lifecycle.running import RunningLab
from labs.failover import logs
from labs.failover.outage import DETECT, FENCE, PLACE, READY, ROUTE, START, Moment
from labs.failover.sides import cluster
from labs.failover.sides.cluster import DEFAULT, JOIN, MATCHED, SPLIT, SPLIT_DIR, Cluster

SIDE = "vm"
_CONF = "/etc/corosync/corosync.conf"
_LINES = 4000
_NAME, _UUID, _CMDLINE, _DISK, _MAC = "name", "uuid", "os/cmdline", "devices/disk/source", "devices/interface/mac"

_KILL = "systemctl kill --signal=KILL vvc-service"
_SET = f"""
now=$(sed -n 's/^ *token: *//p' {_CONF})
[ "$now" = "$1" ] || sed -i "s/^\\( *token:\\).*/\\1 $1/" {_CONF}
"""
_LOGS = f"""
date +'now %s %z'
for log in /var/log/vvc/corosync.log /var/log/pacemaker/pacemaker.log; do
    echo "log $log"
    tail -n {_LINES} "$log"
done
"""
_MOVE = """
set -e
trap 'crm_resource --quiet --clear --resource "$1"' EXIT
crm_resource --quiet --move --resource "$1" --node "$2"
crm_resource --wait --timeout 110s
"""
_DEFINITION = 'cat "$(crm_resource --quiet --resource "$1" --get-parameter config)"'
_COPY = f"""
set -e
trap 'virsh --quiet resume "$1"' EXIT
virsh --quiet suspend "$1"
rm -rf {SPLIT_DIR}
mkdir {SPLIT_DIR}
cp --sparse=always "$2" {SPLIT_DIR}
"""
_START = f"""
set -e
printf '%s' "$1" > {SPLIT_DIR}/definition.xml
virsh --quiet create {SPLIT_DIR}/definition.xml
"""


def real_ms(token_ms: int, servers: int) -> tuple[int, int]:
    """What Corosync makes of a token: until it takes a member for lost, and then until the others agree on it. Pure.

    1000 with three servers -> 1650, 1980.
    """
    token = token_ms + 650 * max(0, servers - 2)
    return token, round(1.2 * token)


class Pacemaker:
    """See labs.failover.sides.cluster.Cluster."""

    DRAIN = 'crm_standby --node "$1" --update on'
    MEND = f"""{JOIN}
crm_standby --node "$(hostname)" --delete
crm_resource --clear --resource {SIDE}-1
crm_resource --cleanup
stonith_admin --cleanup --history '*'
true
"""
    MERGE = f"""
virsh --quiet destroy "$1{SPLIT}" > /dev/null 2>&1
virsh --quiet resume "$1" > /dev/null 2>&1
rm -rf {SPLIT_DIR}
"""
    PARTS: ClassVar[Mapping[str, Sequence[str]]] = {
        "service-killed": (START, READY, ROUTE),
        "replica-killed": (DETECT, PLACE, START, READY, ROUTE),
        "server-drained": (PLACE, START, READY, ROUTE),
        "": (DETECT, FENCE, PLACE, START, READY, ROUTE),
    }
    TIMERS: ClassVar[Mapping[str, Mapping[str, str]]] = {
        DEFAULT: {"token_ms": "3000"},
        MATCHED: {"token_ms": "1000"},
    }

    def kill_service(self, place: RunningLab, replica: Replica) -> float:
        """In the guest, whose init is to notice it."""
        return cluster.stamped(place.inside(replica), _KILL)

    def lead(self, place: RunningLab, replica: Replica, *, leads: bool) -> None:
        """The coordinator stays where it is: the VM moves."""
        coordinator, here = cluster.leader(place, SIDE), place.replica(replica.side).server
        if (coordinator == here) == leads:
            return
        servers = cluster.of(place, SIDE)
        other = coordinator if leads else next(one.name for one in servers if one.name != coordinator)
        cluster.tell(place, servers, _MOVE, replica.name, other)
        answers.wait_until_ready(replica.url, replica.name, place.contract.service_version)
        cluster.await_leader(place, replica, leads=leads)

    def waits(self, timers: Mapping[str, str]) -> str:
        """Token and consensus as they come out with three servers."""
        lost_ms, agreed_ms = real_ms(int(timers["token_ms"]), 3)
        return f"token {timers['token_ms']} ms, with three servers {lost_ms} ms, consensus {agreed_ms} ms"

    def timers(self, place: RunningLab) -> Mapping[str, str]:
        """Of the first server that says it."""
        read = "corosync-cmapctl -g totem.token | sed 's/.*= //'"
        return {"token_ms": cluster.tell(place, cluster.of(place, SIDE), read).output.strip()}

    def set_timers(self, place: RunningLab, replica: Replica, wanted: Mapping[str, str]) -> None:  # noqa: ARG002 - one protocol
        """In each server's file; then Corosync reads it everywhere."""
        servers = cluster.of(place, SIDE)
        for server in servers:
            place.runner(server)(["sh", "-c", _SET, "sh", wanted["token_ms"]])
        cluster.tell(place, servers, "corosync-cfgtool -R > /dev/null")

    def split(self, place: RunningLab, replica: Replica, server: Server) -> Replica:
        """What an administrator would do who has no fencing; its disk is copied while the VM is halted."""
        definition = place.runner(server)(["sh", "-c", _DEFINITION, "sh", replica.name]).output
        disk, address, xml = second(definition, replica.address)
        place.run(replica)(["sh", "-c", _COPY, "sh", replica.handle, disk])
        place.runner(server)(["sh", "-c", _START, "sh", xml])
        url = f"http://{address}:{SERVICE_PORT}"
        answers.wait_until_ready(url, replica.name, place.contract.service_version)
        return replace(replica, server=server.name, handle=f"{replica.name}{SPLIT}", url=url, address=address)

    def identity(self, place: RunningLab, replica: Replica) -> Mapping[str, str]:
        """The guest's boot, and its domain."""
        uuid = place.run(replica)(["virsh", "--quiet", "domuuid", replica.handle]).output.strip()
        return {"server": replica.server, "boot": str(cluster.whoami(replica)["boot_id"]), "id": uuid}

    def told(self, place: RunningLab, replica: Replica, since_s: float) -> Iterable[Moment]:
        """The logs of Corosync and Pacemaker; what the service says of itself."""
        found: list[Moment] = []
        for _, outcome in cluster.ask(place, cluster.of(place, SIDE), _LOGS):
            found += [one for one in read(outcome.output, replica.name) if since_s <= one.at_s]
        own = cluster.service(place, replica, cluster.whoami(replica))
        # Where the cluster has started the guest, the service's process is a part of what follows.
        started = any(one.part == START for one in found)
        return [*found, *(one for one in own if since_s <= one.at_s and not (started and one.part == START))]


def second(definition: str, address: str) -> tuple[str, str, str]:
    """The disk of a VM, and address and definition of its second copy: both on the LAN at once, they must differ. Pure.

    Name, uuid, MAC and address are others, and its disk is the copy; all else is the same.
    """
    root = ElementTree.fromstring(definition)  # noqa: S314 - it is ours
    parts = {path: root.find(path) for path in (_NAME, _UUID, _CMDLINE, _DISK, _MAC)}
    name, uuid, cmdline, disk, mac = (part for part in parts.values() if part is not None)
    file = disk.get("file", "")
    other = str(ipaddress.ip_address(address) + 1)
    first, _, last = mac.get("address", "").rpartition(":")
    name.text = f"{name.text}{SPLIT}"
    root.remove(uuid)
    cmdline.text = re.sub(rf"\bvvc\.address={re.escape(address)}\b", f"vvc.address={other}", cmdline.text or "")
    disk.set("file", f"{SPLIT_DIR}/{file.rpartition('/')[2]}")
    mac.set("address", f"{first}:{(int(last, 16) + 1) % 256:02x}")
    return file, other, ElementTree.tostring(root, encoding="unicode")


def read(text: str, name: str) -> list[Moment]:
    """What a server's logs tell, of what _LOGS prints. Pure."""
    stamp, _, rest = text.partition("\n")
    _, now_s, zone = stamp.split()
    parts = rest.split("log /var/log/")
    corosync = next((part for part in parts if part.startswith("vvc/corosync")), "")
    pacemaker = next((part for part in parts if part.startswith("pacemaker/")), "")
    return [
        *logs.corosync(corosync, float(now_s), zone),
        *logs.pacemaker(pacemaker, name, float(now_s), zone),
    ]


CLUSTER: Cluster = Pacemaker()
