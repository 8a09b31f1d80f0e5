"""How a guest is configured until its service answers: by Ansible, through its sshd."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pulumi

from infra import names
from infra.lab import Blueprint
from infra.last_lines import CONSOLE_DIR, GONE, LINES
from infra.playbook import Inputs, Playbook
from infra.server import Server
from infra.source import tree_digest
from infra.stacks._vm_networks import Attached

SIDE = "vm"
_LINES_OF_QEMU = 4


def configured(
    parent: pulumi.Resource,
    name: str,
    server: Server,
    lab: Blueprint,
    attached: Attached,
    *,
    triggers: Sequence[pulumi.Input[str]],
    after: pulumi.Resource,
    where: str = "",
    may_start: bool = False,
) -> Playbook:
    """A guest that serves. `triggers` make it another machine, `where` is what it calls its server.

    `may_start`: nobody else starts it where it ends before it has answered.
    """
    machine, checkout = lab.machine, Path(lab.machine.checkout)
    host, port = attached.ssh
    shown = shlex.join(server.reach.words(["cat", f"{CONSOLE_DIR}/{name}.console"]))
    inputs = Inputs(
        name=names.playbook(name),
        host=host,
        port=port,
        private_key=str(machine.private_key(lab.plan.lab)),
        playbook=str(checkout / "playbooks" / "site.yml"),
        variables={
            "vvc_replica": name,
            "vvc_side": SIDE,
            "vvc_server": where or server.name,
            "vvc_version": lab.settings.service_version,
            "vvc_commit": lab.commit,
            **attached.variables,
        },
        digest=tree_digest(checkout / "playbooks", checkout / "service"),
        triggers=triggers,
        log_dir=str(machine.lab_dir(lab.plan.lab)),
        hint=f"Look at the guest's console: {shown}",
        console=last_lines(name, server),
        start=server.reach.words(["virsh", "-q", "start", name]) if may_start else [],
    )
    return Playbook(inputs, server.contents(parent, depends_on=[after]))


def last_lines(name: str, server: Server) -> list[str]:
    """The command that prints what a guest's console said last, and its QEMU where that has ended."""
    # The rung "domain running" is told beside it: a domain that stopped explains a silent guest.
    script = f"""state=$(virsh domstate {name} --reason)
echo "domain {name}: $state"
tail -n {LINES} {CONSOLE_DIR}/{name}.console
case $state in
"shut off"* | crashed*) tail -n {_LINES_OF_QEMU} /var/log/libvirt/qemu/{name}.log; exit {GONE} ;;
esac"""
    return server.reach.words(["sh", "-c", script])
