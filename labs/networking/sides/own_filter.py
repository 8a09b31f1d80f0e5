"""A replica's own packet filter: how rules get into it, are counted there, and go.

A container's is one more namespace of its server's kernel, which its server enters with its own iptables. A guest's is
its own kernel's, and the guest has no iptables: the server's is carried in, and what is there goes by itself after a
minute, as nobody could come and remove it if the guest were cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.sides import Runner
from labkit.system import carry
from labkit.system.errors import LabError
from labs.networking import filters

GOES_AFTER_S = 60
_WITHIN_S = 60.0


@dataclass(frozen=True)
class OwnFilter:
    """Where it is, and what is done with it."""

    where: str
    namespace: str
    """What tells the network namespace from others of its kernel."""
    load: Callable[[str], None]
    """Adds rules, as filters.to_load gives them."""
    saved: Callable[[], str]
    """What iptables-save prints there, with counters."""
    remove: Callable[[], None]
    """What was put there is gone afterwards."""


def _of_container(place: Place, replica: Replica) -> OwnFilter:
    run = place.run(replica)
    pid = run(["docker", "inspect", "-f", "{{.State.Pid}}", replica.handle]).output.strip()
    enter = ["nsenter", "-t", pid, "-n"]
    return OwnFilter(
        where="a network namespace of the server's kernel, which the server enters",
        namespace=namespace(run, pid),
        load=lambda rules: filters.load(lambda words: run([*enter, *words]), rules),
        saved=lambda: run([*enter, *filters.SAVED]).output,
        remove=lambda: _clear_container(place, replica),
    )


PACK = """
multi=/usr/sbin/xtables-nft-multi
folder=$(dirname "$(find /usr/lib -name libxt_comment.so)")
tar -c -h --transform 's,.*/,,' -f - "$multi" "$folder/libxt_comment.so" "$folder/libxt_tcp.so" \\
    "$folder/libxt_standard.so" $(ldd "$multi" | awk '/xtables|mnl|nftnl/ { print $3 }') 2> /dev/null
"""
"""In the server: its iptables with the libraries that a guest lacks; both are of one Debian release."""

WORK = "/var/tmp/vvc-firewall"  # noqa: S108 - inside a guest, where nobody else is
_TABLES = f"""
work={WORK}
tables() {{ LD_LIBRARY_PATH=$work XTABLES_LIBDIR=$work "$work/xtables-nft-multi" "$@"; }}
"""
CLEAR_GUEST = f"""{_TABLES}
[ -e "$work" ] || exit 0
tables iptables-save | sed -n -e '/^[*C]/p' -e '/--comment "\\{{0,1\\}}vvc-/s/^-A /-D /p' |
    tables iptables-restore --noflush
tables iptables -X
modprobe -q -r nft_compat xt_comment xt_tcpudp nf_tables
watch=$(cat "$work/watch" 2> /dev/null)
rm -rf "$work"
[ -z "$watch" ] || kill -s TERM -- "-$watch"
true
"""
_LOAD = f"""{_TABLES}
printf %s "$1" | tables iptables-restore --noflush
"""
_UNPACK = f"""
set -e
mkdir -p {WORK}
setsid sh -c "sleep {GOES_AFTER_S}; $1" > /dev/null 2>&1 < /dev/null &
echo $! > {WORK}/watch
tar -x -C {WORK}
"""


def _of_vm(place: Place, replica: Replica) -> OwnFilter:
    inside = place.inside(replica)

    def load(rules: str) -> None:
        unpack = ["sh", "-c", _UNPACK, "sh", CLEAR_GUEST]
        sink = place.words_inside(replica, unpack)
        carry.carry(place.server(replica).reach.words(["sh", "-c", PACK]), sink, _WITHIN_S)
        inside(["sh", "-c", _LOAD, "sh", rules])

    return OwnFilter(
        where="the guest's own kernel",
        namespace=f"{namespace(inside, 'self')} of its own kernel",
        load=load,
        saved=lambda: inside(["sh", "-c", f"{_TABLES} tables iptables-save -c"]).output,
        remove=lambda: _clear_vm(place, replica),
    )


def _clear_vm(place: Place, replica: Replica) -> None:
    with suppress(LabError):  # a guest that is off has no rules
        place.inside(replica)(["sh", "-c", CLEAR_GUEST])


def _clear_container(_place: Place, _replica: Replica) -> None:
    """It goes with what is in the server."""


def namespace(run: Runner, pid: str) -> str:
    """The network namespace of a process: "net:[4026531840]"."""
    return run(["readlink", f"/proc/{pid}/ns/net"]).output.strip()


OF: Mapping[str, Callable[[Place, Replica], OwnFilter]] = {"vm": _of_vm, "container": _of_container}

CLEAR: Mapping[str, Callable[[Place, Replica], None]] = {"vm": _clear_vm, "container": _clear_container}
"""Side -> what removes all that a trial put into a replica's own filter, whoever put it there."""
