"""A checkout beside ours with its own lab isolation, and all that an experiment could leave of itself there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from infra import outputs, plan
from labkit.system import processes
from labkit.system.waiting import until
from tests.engines.apart.kills import Site, collect
from tests.engines.real import engine

LAB = "isolation"
GUESTS = ("vm-1", "vm-2")
MEASURE_S = 900

_PARAMETERS = "/proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/printk_ratelimit_burst"
_IN_SERVER = f"""
docker ps -a --format 'container: {{{{.Names}}}}'
docker ps -q | xargs -r docker inspect -f '{{{{.State.Pid}}}} {{{{.Name}}}}' | while read -r pid name; do
    nsenter -t "$pid" -n grep -H . {_PARAMETERS} | sed "s,^,$name: ,"
    docker top "$name" -eo args | sed -e 1d -e "s,^,runs in $name: ,"
done
docker inspect -f '{{{{.Name}}}}: {{{{.HostConfig.NanoCpus}}}} {{{{.HostConfig.Memory}}}}' $(docker ps -q)
grep -H . {_PARAMETERS}
grep ' cgroup ' /proc/mounts | grep vvc-
ls -d /var/tmp/vvc-* /tmp/vvc-* 2> /dev/null
ps -eo args= | grep -e '[v]vc-marker' -e '^strace ' -e '^stress-ng' -e '^iperf3 ' | sed 's/^/runs: /'
true
"""
_IN_GUEST = f"""
grep -H . {_PARAMETERS}
ls -d /var/tmp/vvc-* /tmp/vvc-* 2> /dev/null
for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$file"; echo; done 2> /dev/null |
    grep -e '^python3 -c' -e '[v]vc-marker' -e '^stress-ng' -e '^sleep 60' | cut -c 1-60
true
"""


class Isolation(Site):
    """Its lab isolation."""

    lab: ClassVar[str] = LAB

    def up(self) -> str:
        """`./lab up`, all that it says."""
        return self.tool("up", LAB, "--yes").stdout

    def measure(self, *words: str, within_s: float = MEASURE_S) -> Any:
        """A quick run of these experiments, as its report has it."""
        with self.start("run", LAB, *words, "--quick") as process:
            told, ended = collect(process, within_s)
        assert ended, told
        assert process.returncode == 0, told
        report = self.tool("report", LAB, "--json").stdout
        return json.loads(report[report.index("{") :])

    def contract(self) -> outputs.Contract:
        """What it exports."""
        file = next((self.checkout / ".state/pulumi/.pulumi/stacks").rglob(f"{LAB}.json"))
        state = json.loads(file.read_text(encoding="utf-8"))
        return outputs.from_outputs(state["checkpoint"]["latest"]["resources"][0]["outputs"])

    def in_server(self, script: str) -> str:
        """What a script prints inside the server."""
        return engine("exec", self.server, "sh", "-c", script)

    def leftovers(self) -> list[str]:
        """What `./lab leftovers` names of ours."""
        told = self.tool("leftovers", LAB, "--json", check=False).stdout
        return [f"{one['kind']} {one['name']}" for one in json.loads(told[told.index("[") :])[0]["ours"]]

    def marks(self) -> list[str]:
        """What an experiment makes, sets or runs in server, containers and on the laptop, a line each."""
        told = self.in_server(_IN_SERVER).splitlines()
        label = f"label={plan.CHECKOUT_LABEL}={self.id}"
        told += engine("ps", "-a", "--filter", label, "--format", "on the laptop: {{.Names}}").splitlines()
        here = [one for one in processes.running() if one.folder == str(self.checkout)]
        probers = [one for one in here if "labkit.measure.prober" in one.words]
        return sorted([*told, *("on the laptop: a prober" for _ in probers)])

    def marks_in_guests(self) -> list[str]:
        """The same inside the guests."""
        told = {name: self.tool("exec", "--lab", LAB, name, "sh", "-c", _IN_GUEST, check=False) for name in GUESTS}
        return [f"in {name}: {line}" for name in GUESTS for line in told[name].stdout.splitlines()]

    @contextmanager
    def as_before(self, within_s: float) -> Iterator[None]:
        """At the end there is the same of all that as at the beginning, within a bound."""
        before, differ = {*self.marks(), *self.marks_in_guests()}, [""]

        def same() -> bool:
            differ[:] = sorted(before ^ {*self.marks(), *self.marks_in_guests()})
            return not differ

        yield
        assert until(same, within_s, 1.0), differ
