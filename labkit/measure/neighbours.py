"""The laptop's knowledge of who has which MAC on a lab's LAN, held while a replica is off.

Left alone, the kernel forgets an address that does not answer and then asks for it once a second only: times of a
start would come out in whole seconds. Pinned entries belong to the lab's own bridge and go with it at the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infra.machine import Machine
from infra.outputs import Replica
from infra.plan import labels
from labkit.system import shell
from labkit.system.paths import CHECKOUT_ID

_ARP = Path("/proc/net/arp")
_COMPLETE = 0x2
_TIMEOUT_S = 30.0


@contextmanager
def pinned(machine: Machine, lab: str, replicas: Iterable[Replica]) -> Iterator[None]:
    """While inside, these replicas' addresses keep the MACs that the laptop knows for them now."""
    hosts = {str(urlsplit(replica.url).hostname) for replica in replicas}
    entries = [entry for entry in known(_ARP.read_text(encoding="utf-8")) if entry[0] in hosts]
    try:
        for address, mac, device in entries:
            _ip(machine, lab, ["neigh", "replace", address, "lladdr", mac, "dev", device, "nud", "permanent"])
        yield
    finally:
        for address, mac, device in entries:
            _ip(machine, lab, ["neigh", "replace", address, "lladdr", mac, "dev", device, "nud", "stale"])


def known(table: str) -> list[tuple[str, str, str]]:
    """Address, MAC and interface of every complete entry of /proc/net/arp (proc(5))."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return [(row[0], row[3], row[5]) for row in rows if len(row) > 5 and int(row[2], 16) & _COMPLETE]  # noqa: PLR2004 - its columns


def _ip(machine: Machine, lab: str, words: list[str]) -> None:
    """`ip`, in the laptop's network: by a container of the server image, as a person need not be root here."""
    flags = ["--rm", "--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--entrypoint", "ip"]
    ours = [word for key, value in labels(CHECKOUT_ID, lab, "tool").items() for word in ("--label", f"{key}={value}")]
    shell.run(
        ["docker", "--host", machine.docker_host, "run", *flags, *ours, machine.server_image, *words],
        timeout_s=_TIMEOUT_S,
    )
