"""What stands at both ends of a replica's adapters: the scripts that ask, and what their answers mean. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SERVER = r"""
echo "server $(readlink /proc/self/ns/net) $(cat /proc/sys/kernel/random/boot_id)"
for folder in /sys/class/net/*; do
    name=${folder##*/}
    [ -e "$folder/ifindex" ] && [ "$name" != lo ] || continue
    set -- "$folder"/queues/rx-*
    rx=$#
    set -- "$folder"/queues/tx-*
    master=$(readlink "$folder/master") || master=
    echo "interface $name $(cat "$folder/ifindex") $(cat "$folder/address") $rx $# ${master##*/}"
    ethtool -i "$name" 2> /dev/null | sed -n 's/^driver: /driver /p'
    ethtool -k "$name" 2> /dev/null |
        sed -n -E 's/^(rx-check.*|tx-check.*|scatter-gather|tcp-seg.*|generic-.*): (on|off).*/offload \1 \2/p'
done
"""
"""Every interface of the server but the loopback one, as its kernel has it."""

_OFFLOAD = "-offload"


def server(text: str) -> dict[str, Any]:
    """The lines of SERVER, of the same form as what a replica says of itself (labs.networking.sides.inside.LOOK)."""
    interfaces: list[dict[str, Any]] = []
    found: dict[str, Any] = {"namespace": "", "boot_id": "", "interfaces": interfaces}
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "server":
            found["namespace"], found["boot_id"] = words
        elif kind == "interface":
            name, index, mac, rx, tx, *master = words
            interfaces.append(
                {
                    "name": name,
                    "index": int(index),
                    "mac": mac,
                    "rx_queues": int(rx),
                    "tx_queues": int(tx),
                    "bridge": master[0] if master else "",
                    "driver": "",
                    "offloads": {},
                }
            )
        elif kind == "driver":
            interfaces[-1]["driver"] = words[0]
        elif kind == "offload":
            interfaces[-1]["offloads"][words[0].removesuffix(_OFFLOAD)] = words[1] == "on"
    return found


def both(inside: str, server_text: str, own_text: str) -> dict[str, Any]:
    """Both ends of each adapter of a replica: `adapters` is a list of {inside, server, holder}.

    `own_text` is what the side's manager knows (labs.networking.sides.adapters.Plugging.own): which tap belongs to
    which MAC, and which process holds it. Without a tap an adapter's other end is the interface of the server that it
    names as its peer, if it is in another network namespace than the server. A replica in its server's namespace has
    no adapter of its own.
    """
    own, there = json.loads(inside), server(server_text)
    taps, holders = _own(own_text)
    shares = own["namespace"] == there["namespace"] and own["boot_id"] == there["boot_id"]
    names = {one["name"]: one for one in there["interfaces"]}
    numbers = {one["index"]: one for one in there["interfaces"]}
    adapters = []
    for one in [] if shares else own["interfaces"]:
        tap = taps.get(one["mac"], "")
        far = names.get(tap) if taps else numbers.get(one["peer"])
        adapters.append({"inside": one, "server": far, "holder": holders.get(tap)})
    return {
        "adapters": adapters,
        "namespace": {"inside": own["namespace"], "server": there["namespace"]},
        "boot_id": {"inside": own["boot_id"], "server": there["boot_id"]},
        "shares_its_servers_network": shares,
    }


def _own(text: str) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """MAC -> tap, and tap -> the process that holds it, with how many queues of it it holds."""
    taps: dict[str, str] = {}
    holders: dict[str, dict[str, Any]] = {}
    for words in (line.split() for line in text.splitlines()):
        if words[:1] == ["adapter"]:
            taps[words[1]] = words[2]
        elif words[:1] == ["holds"]:
            _, tap, pid, name = words
            before = holders.get(tap, {"queues": 0})
            holders[tap] = {"pid": int(pid), "name": name, "queues": before["queues"] + 1}
    return taps, holders


def with_a_device(adapters: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those behind which the replica's own kernel has a device with a driver."""
    return [one for one in adapters if (one["inside"]["device"] or {}).get("driver")]
