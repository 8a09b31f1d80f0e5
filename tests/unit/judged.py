"""Judged rows for tests/unit/runs.py: every row of the article's table, every verdict, both kinds of claim."""

from __future__ import annotations

import statistics

from labkit.judge.model import Judgement, Measured, Metric, Observation, Observed, Row, Spread, Verdict
from labkit.runs.records import Arm, Run

VM, CONTAINER = Arm("vm"), Arm("container")
VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "not decidable here", "not comparable", "not measured")


def metric(name: str, experiment: str, unit: str, *, action: str = "", exact: bool = False, value: str = "") -> Metric:
    """A metric that reads the value of its own name, or of another."""
    return Metric(
        name=name,
        unit=unit,
        definition=f"{name.replace('_', ' ')}: from the start line to the finish line of experiment {experiment}",
        experiment=experiment,
        value=value or name,
        example=12.5,
        action=action,
        exact=exact,
    )


START = metric("start_s", "start", "s", action="start", value="ready_s")
DEPLOY = metric("deploy_s", "start", "s", action="deploy", value="ready_s")
SIZE = metric("image_allocated_bytes", "size", "bytes", exact=True)
MEMORY = metric("host_memory_mib", "resources", "MiB")
CPU = metric("idle_cpu_percent", "resources", "%")
OUTAGE = metric("outage_s", "update", "s", action="replaced")

LARGER = Measured("image-larger", "Size", "A VM's image takes more bytes.", SIZE, VM, CONTAINER, 1.2, "bytes",
                  "A VM's disk image carries a kernel, an init and their packages.")  # fmt: skip
MORE = Measured("memory-more", "Resource usage", "A VM needs more of the server's memory.", MEMORY, VM, CONTAINER, 1.2,
                "sharing", "Each guest has its own kernel and page cache, which nobody else can use.")  # fmt: skip
BUSIER = Measured("idle-cpu-more", "Resource usage", "An idle VM needs more CPU.", CPU, VM, CONTAINER, 1.5, "cpu",
                  "A guest's timers fire even when nothing is to be done.",
                  reference="Felter 2014: CPU equal in VMs and containers, under KVM")  # fmt: skip
SLOWER = Measured("start-slower", "Speed", "A VM starts slower than a container.", START, VM, CONTAINER, 1.5, "cpu",
                  "A guest boots a kernel and an init before its service; a container starts a process.",
                  reference="Firecracker, NSDI 2020: boot 110-160 ms, QEMU 244 ms (p50)")  # fmt: skip
DEPLOYS = Measured("deploy-slower", "Speed", "A VM is deployed slower than a container.", DEPLOY, VM, CONTAINER, 1.5,
                   "timer", "Configuring a guest waits for its sshd.")  # fmt: skip
LONGER = Measured("update-longer", "Deployment", "Replacing a VM takes the service away for longer.", OUTAGE, VM,
                  CONTAINER, 1.5, "timer", "The new guest boots while nobody answers.")  # fmt: skip


def _kernels(run: Run) -> Observation | None:
    return Observation(True, {"kernel in VM": "6.12.57", "kernel in container": "6.12.48"}) if run.experiments else None


KERNEL = Observed("own-kernel", "Operating system", "A VM has a kernel of its own; a container has its server's.",
                  "operating-system", _kernels, "Only a VM boots.")  # fmt: skip
BY_HAND = Observed("manager-single", "Deployment", "A manager for single VMs knows nothing of the service.",
                   "update", _kernels, "libvirt stands for Hyper-V Manager.")  # fmt: skip


def spread(run: Run, claim: Measured, arm: Arm) -> Spread:
    """What the judge hands over for one arm."""
    experiment = run.experiment(claim.metric.experiment)
    repeats = experiment.of(arm, claim.metric.action) if experiment else ()
    values = tuple(v for r in repeats if r.counts and (v := claim.metric.of(r)) is not None)
    if not values:
        return Spread(arm, 0, float("nan"), float("nan"), float("nan"), ())
    return Spread(arm, len(values), statistics.median(values), min(values), max(values), values)


def judge(run: Run, claim: Measured, verdict: Verdict, reason: str, n_needed: int | None = None) -> Judgement:
    """A judgement with this verdict, on the run's own numbers."""
    both = tuple(spread(run, claim, arm) for arm in (claim.greater, claim.other))
    ratio = both[0].median / both[1].median if both[0].n and both[1].n else None
    interval = None if ratio is None or claim.metric.exact else (ratio * 0.93, ratio * 1.08)
    return Judgement(claim, verdict, reason, both, ratio, interval, n_needed)


def rows(run: Run) -> tuple[Row, ...]:
    """The article's nine rows, judged: at least one of every verdict."""
    system = Judgement(KERNEL, "holds", "the VM's kernel and boot id differ from the server's, the container's do not",
                       evidence={"kernel in the VM": "6.12.57+deb13-cloud-amd64",
                                 "kernel in the container": "6.12.48-amd64"})  # fmt: skip
    return (
        Row("Size", "large, a full operating system", "small, binaries and libraries only", "holds",
            (judge(run, LARGER, "holds", "3.37 times, exact bytes"),)),
        Row("Resource usage", "more CPU, memory, storage", "shares the OS's resources", "does not hold",
            (judge(run, MORE, "holds", "the interval lies wholly beyond 1.2"),
             judge(run, BUSIER, "does not hold", "the interval lies wholly below 1.5"))),
        Row("Speed", "slower start", "faster start", "not decidable here",
            (judge(run, SLOWER, "not decidable here", "EMULATED CPU"),
             judge(run, DEPLOYS, "not decidable here", "n too small", 12))),
        Row("Operating system", "a full one, kernel included", "the user-mode part only", "holds", (system,)),
        Row("Deployment", "a manager for single VMs", "an engine, an orchestrator for many", "not comparable",
            (judge(run, LONGER, "not comparable", "service version differs: 1 on vm, 2 on container"),
             Judgement(BY_HAND, "not measured", "experiment update was interrupted"))),
        Row("Networking", "virtual network adapter", "simpler adapter, shares the firewall", "not measured", ()),
        Row("Fault tolerance", "restarts on another server", "the orchestrator recreates it", "not measured", ()),
        Row("Load balancing", "VMs move", "they do not move", "not measured", ()),
        Row("Isolation", "fully isolated", "isolated as processes", "not measured", ()),
    )  # fmt: skip
