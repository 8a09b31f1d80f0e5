"""Two networks of a side that must not reach each other: made, joined by a running replica, and listened in.

A listener is iperf3: a container of the replica's image in an engine's network, a network namespace of the server on
the bridge of a libvirt network. Both servers forward between their networks, if their rules let them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.sides import Runner

NETS = {"a": "198.18.41.0/24", "b": "198.18.42.0/24"}
"""Of the range for measurements, which nobody's LAN has."""

LISTENS = 5201
_CONNECT = 'timeout 2 bash -c "exec 3<>/dev/tcp/$0/$1" 2> /dev/null && echo reached || echo "not reached"'


@dataclass(frozen=True)
class Segments:
    """What is done with them; `a` and `b` name them."""

    make: Callable[[str], None]
    join: Callable[[str], str]
    """The replica's address in this network, which it has joined while it runs."""
    listen: Callable[[str], str]
    """The address of something that listens in this network, on LISTENS."""
    reaches: Callable[[str, str, int], bool]
    """Whether the listener of this network, or the replica for "", reaches an address and port."""


def name(segment: str) -> str:
    """Of a network and of what listens in it: found again, and removed, by it."""
    return f"vvc-segment-{segment}"


def host(segment: str, number: int) -> str:
    """An address of this network."""
    return NETS[segment].replace("0/24", str(number))


def _reached(run: Runner, words: list[str], address: str, port: int) -> bool:
    return run([*words, "sh", "-c", _CONNECT, address, str(port)]).output.strip() == "reached"


_MAKE_LIBVIRT = """
set -e
file=$(mktemp)
cat > "$file" << END
<network><name>$1</name><bridge name="$1" stp="off" delay="0"/><dns enable="no"/>
<ip address="$2" prefix="24"/></network>
END
virsh --quiet net-create "$file" > /dev/null
rm "$file"
"""
_LISTEN_IN_NAMESPACE = f"""
set -e
ip netns add "$1"
ip link add "$4" type veth peer name eth0 netns "$1"
ip link set "$4" master "$1" up
ip -n "$1" link set lo up
ip -n "$1" link set eth0 up
ip -n "$1" address add "$2/24" dev eth0
ip -n "$1" route add default via "$3"
ip netns exec "$1" iperf3 --server --daemon --port {LISTENS}
"""
_JOIN_GUEST = """
set -e
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    device=$(ip -o link | grep -i "$1" | cut -d: -f2 | tr -d ' ')
    [ -z "$device" ] || break
    sleep 0.5
done
ip link set "$device" up
ip address add "$2/24" dev "$device"
ip route add "$4" via "$3"
"""
_MAC = "52:76:63:fe:00:01"


def _of_vm(place: Place, replica: Replica) -> Segments:
    run, inside = place.run(replica), place.inside(replica)

    def make(segment: str) -> None:
        run(["sh", "-c", _MAKE_LIBVIRT, "sh", name(segment), host(segment, 1)])

    def join(segment: str) -> str:
        words = ["virsh", "--quiet", "attach-interface", replica.handle, "network", name(segment)]
        run([*words, "--model", "virtio", "--mac", _MAC, "--live"])
        other = next(net for one, net in NETS.items() if one != segment)
        inside(["sh", "-c", _JOIN_GUEST, "sh", _MAC, host(segment, 2), host(segment, 1), other])
        return host(segment, 2)

    def listen(segment: str) -> str:
        at = host(segment, 3)
        run(["sh", "-c", _LISTEN_IN_NAMESPACE, "sh", name(segment), at, host(segment, 1), f"vvc-seg-{segment}"])
        return at

    def reaches(segment: str, address: str, port: int) -> bool:
        if not segment:
            return _reached(inside, [], address, port)
        return _reached(run, ["nsenter", f"--net=/run/netns/{name(segment)}"], address, port)

    return Segments(make, join, listen, reaches)


def _of_container(place: Place, replica: Replica) -> Segments:
    run, inside = place.run(replica), place.inside(replica)

    def make(segment: str) -> None:
        run(["docker", "network", "create", "--subnet", NETS[segment], name(segment)])

    def join(segment: str) -> str:
        run(["docker", "network", "connect", "--ip", host(segment, 2), name(segment), replica.handle])
        return host(segment, 2)

    def listen(segment: str) -> str:
        image = run(["docker", "inspect", "-f", "{{.Image}}", replica.handle]).output.strip()
        words = ["docker", "run", "-d", "--name", name(segment), "--network", name(segment)]
        words += ["--ip", host(segment, 3), "--entrypoint", "iperf3", image, "--server", "--port", str(LISTENS)]
        run(words)
        return host(segment, 3)

    def reaches(segment: str, address: str, port: int) -> bool:
        if not segment:
            return _reached(inside, [], address, port)
        pid = run(["docker", "inspect", "-f", "{{.State.Pid}}", name(segment)]).output.strip()
        return _reached(run, ["nsenter", "-t", pid, "-n"], address, port)

    return Segments(make, join, listen, reaches)


OF: Mapping[str, Callable[[Place, Replica], Segments]] = {"vm": _of_vm, "container": _of_container}
