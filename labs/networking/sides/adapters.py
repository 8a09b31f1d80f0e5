"""How each side plugs one more adapter into a running replica, and what stands at the server's end of those it has.

Scripts run inside the server with the replica's handle as $1. What they make is called `vvc-…`, and is found by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.plan import MAC_PREFIX

SWITCH = "vvc-adapters"
TAP = "vvc-a"
MAC = f"{MAC_PREFIX}:00:ad:0"
"""libvirt's network and its bridge; a tap's name and an adapter's MAC, but for its number, which has one digit."""

NETWORK = "vvc-adapter-"
SUBNET = "198.18."
"""Half of an address that is nobody's: those of RFC 2544 are for measuring only."""

UNPLUG_WITHIN_S = 30


ORDER = 'read -r now _ < /proc/uptime; echo "order $now"'
"""Seconds since the server's boot, in hundredths."""


@dataclass(frozen=True)
class Plugging:
    """One side's scripts. `plug` and `unplug` have the number of the adapter, from 1, as $2; each waits for its end."""

    prepare: str
    """Makes what further adapters are plugged into; has how many as $2 and the lab's labels as $3."""
    plug: str
    """Prints "order SECONDS" just before the manager is told, by the words a person would use."""
    unplug: str
    remove: str
    """Removes all of it, whatever is there of it, from all replicas of the server; it may be run twice."""
    own: str
    """Prints a line of words for each adapter of the replica, as its manager knows it: see the side's reading."""


_DETACH = f"""
detach() {{
    virsh --quiet detach-interface "$1" network --mac "$3" --live > /dev/null 2>&1 || true
    left={UNPLUG_WITHIN_S}0
    # libvirt asks; the guest's kernel lets go when it is ready to.
    while [ -e "/sys/class/net/$2" ] && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
    [ ! -e "/sys/class/net/$2" ]
}}
"""
VM = Plugging(
    prepare=f"""
echo "<network><name>{SWITCH}</name><bridge name='{SWITCH}' stp='off' delay='0'/></network>" |
    virsh --quiet net-create /dev/stdin > /dev/null
""",
    plug=f"""
{ORDER}
virsh --quiet attach-interface "$1" network {SWITCH} --target {TAP}$2 --mac {MAC}$2 --model virtio --live
""",
    unplug=f'{_DETACH} detach "$1" {TAP}$2 {MAC}$2',
    remove=f"""
{_DETACH}
virsh --quiet list --name | while read -r domain; do
    [ -n "$domain" ] || continue
    virsh --quiet domiflist "$domain" | while read -r tap _ source _ mac; do
        [ "$source" != {SWITCH} ] || detach "$domain" "$tap" "$mac" < /dev/null
    done
done
! virsh --quiet net-info {SWITCH} > /dev/null 2>&1 || virsh --quiet net-destroy {SWITCH} > /dev/null
""",
    own="""
virsh --quiet domiflist "$1" | while read -r tap _ _ _ mac; do echo "adapter $mac $tap"; done
grep -s '^iff:' /proc/[0-9]*/fdinfo/* | while IFS=':	' read -r file _ tap; do
    pid=${file#/proc/}
    pid=${pid%%/*}
    echo "holds $tap $pid $(cat "/proc/$pid/comm")"
done
""",
)

CONTAINER = Plugging(
    prepare=f"""
labels=
for label in $3; do labels="$labels --label $label"; done
for number in $(seq "$2"); do
    docker network create --internal --subnet {SUBNET}$number.0/29 $labels {NETWORK}$number > /dev/null
done
""",
    plug=f"""
{ORDER}
docker network connect {NETWORK}$2 "$1"
""",
    unplug=f'docker network disconnect {NETWORK}$2 "$1"',
    remove=f"""
docker network ls --format '{{{{.Name}}}}' --filter name=^{NETWORK} | while read -r network; do
    docker network inspect --format '{{{{range .Containers}}}}{{{{println .Name}}}}{{{{end}}}}' "$network" |
        while read -r name; do
            [ -z "$name" ] || docker network disconnect --force "$network" "$name"
        done
    docker network rm "$network" > /dev/null
done
""",
    own="""
echo "namespace $(readlink "/proc/$(docker inspect -f '{{.State.Pid}}' "$1")/ns/net")"
""",
)

SIDES: Mapping[str, Plugging] = {"vm": VM, "container": CONTAINER}
"""Side -> what plugs there. An engine connects a container to a network once, so that each adapter there needs one of
its own; libvirt plugs any number into one. Neither network leads out of the server: a guest answers for its address on
each adapter that it has, and one more on the LAN would draw the others' frames to itself."""
