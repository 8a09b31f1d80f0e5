"""A checkout beside ours with its own lab networking, and all that an experiment could leave of itself there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra import checkout, outputs, plan
from labkit.system import processes
from labkit.system.waiting import until
from tests.engines.real import SHORT_S, UP_S, command, engine

LAB = "networking"
GUESTS = ("vm-1", "vm-2")

# Those of an engine's name service have ports that it picks anew whenever it begins. A table is there once somebody has
# looked at it, and stays: without a rule and with its chains as open as they are born it is no mark.
_RULES = """
rules() {
    who=$1
    shift
    for save in iptables-save ip6tables-save; do
        "$@" "$save" | sed -n -e 's/ \\[[0-9]*:[0-9]*\\]$//' -e /127.0.0.11/d -e '/^:[A-Z]* ACCEPT$/d' \\
            -e "/^[-:]/s/^/$save of $who: /p"
    done
}
rules server
docker ps -q | xargs -r docker inspect -f '{{.State.Pid}} {{.Name}}' | while read -r pid name; do
    rules "${name#/}" nsenter -t "$pid" -n
    nsenter -t "$pid" -n ip -o link | sed -n "s/^[0-9]*: \\([^:@]*\\).*/link of ${name#\\/}: \\1/p"
done
"""
_OBJECTS = """
ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\).*/link: \\1/p'
ip netns list | sed 's/^/network namespace: /'
docker ps -a --format 'container: {{.Names}}'
docker network ls --format 'network of the engine: {{.Name}}'
virsh -q net-list --all --name | sed '/^$/d;s/^/network of libvirt: /'
virsh -q list --name | sed '/^$/d' | while read -r domain; do
    virsh -q domiflist "$domain" | awk -v who="$domain" 'NF { print "adapter of " who ": " $2, $3, $5 }'
done
sysctl net.ipv4.ip_forward net.bridge | sed 's/^/setting: /'
tc qdisc show | awk '$2 != "noqueue" && $2 != "fq_codel" { print "queue: " $2, $3, $5 }'
"""
_RUNS = """
ps -eo args= | grep -E '^(tcpdump|iperf3|nsenter|unshare) ' | sed 's/^/runs: /'
ls -d /tmp/* /var/tmp/* 2> /dev/null | grep -v systemd | sed 's/^/file: /'
true
"""
_IN_GUEST = """
ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\).*/link: \\1/p'
ip -4 -o address | sed 's/.* inet \\([^ ]*\\).*/address: \\1/'
sed -n 's/^\\(nf_tables\\|nft_compat\\) .*/module: \\1/p' /proc/modules
for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$file"; echo; done 2> /dev/null |
    grep -E '^(iperf3|python3 -c|sleep 60)'
ls -d /var/tmp/vvc-* /tmp/vvc-* 2> /dev/null
true
"""


@dataclass(frozen=True)
class Site:
    """A checkout whose lab networking is up."""

    checkout: Path
    env: dict[str, str] = field(
        default_factory=lambda: {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    )

    @property
    def id(self) -> str:
        """The checkout's id, which is in all names."""
        return checkout.identify(self.checkout).id

    @property
    def server(self) -> str:
        """Name of its server's container."""
        return plan.object_name(self.id, LAB, plan.server_name(0))

    def tool(self, *words: str, timeout_s: float = SHORT_S, check: bool = True) -> subprocess.CompletedProcess[str]:
        """./lab of that checkout to its end."""
        return command([str(self.checkout / "lab"), *words], cwd=self.checkout, env=self.env, timeout_s=timeout_s,
                       check=check)  # fmt: skip

    def up(self) -> None:
        """`./lab up networking`."""
        self.tool("up", LAB, "--yes", timeout_s=UP_S)

    @contextmanager
    def running(self, *words: str, stderr: int = subprocess.STDOUT) -> Iterator[subprocess.Popen[str]]:
        """./lab of that checkout, in a session of its own; it has ended at the end."""
        process = subprocess.Popen(
            [str(self.checkout / "lab"), *words], cwd=self.checkout, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=stderr, text=True, encoding="utf-8", start_new_session=True)  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def pulumi(self, *words: str) -> str:
        """Plain pulumi on this lab, in the environment of `./lab env`."""
        script = 'eval "$(./lab env)"; exec pulumi "$@" -s networking --non-interactive'
        return command(["sh", "-ec", script, "sh", *words], cwd=self.checkout, env=self.env, timeout_s=UP_S).stdout

    def contract(self) -> outputs.Contract:
        """What the lab exports."""
        return outputs.from_outputs(json.loads(self.pulumi("stack", "output", "--json")))

    def in_server(self, script: str) -> str:
        """What a script prints inside the server."""
        return engine("exec", self.server, "sh", "-ec", script)

    def marks(self) -> list[str]:
        """What an experiment or a capture makes in the server and on the laptop, and all like it that was there before.

        Interfaces, adapters, namespaces, networks, containers, settings, rules, programs, files: a line each.
        """
        told = self.in_server(_OBJECTS + _RULES + _RUNS)
        label = f"label={plan.CHECKOUT_LABEL}={self.id}"
        told += "\n" + engine("ps", "-a", "--filter", label, "--format", "on the laptop: {{.Names}}")
        here = [one for one in processes.running() if one.folder == str(self.checkout)]
        probers = [one for one in here if "labkit.measure.prober" in one.words]
        return sorted([*told.splitlines(), *("on the laptop: a prober" for _ in probers)])

    def marks_in_guests(self) -> list[str]:
        """The same of the guests."""
        told = {name: self.tool("exec", "--lab", LAB, name, "sh", "-c", _IN_GUEST, check=False) for name in GUESTS}
        return [f"in {name}: {line}" for name in GUESTS for line in told[name].stdout.splitlines()]

    @contextmanager
    def as_before(self, within_s: float, marks: Callable[[], list[str]]) -> Iterator[None]:
        """At the end there are the same marks as at the beginning, within a bound."""
        before, differ = marks(), [""]

        def same() -> bool:
            differ[:] = sorted({*before} ^ {*marks()})
            return not differ

        yield
        assert until(same, within_s, 1.0), differ
