"""What `pulumi up` runs: load, check, build, export."""

from __future__ import annotations

import pulumi

from infra import checkout, facts, machine, preflight, program, settings
from infra.lab import Blueprint
from infra.plan import NETWORKS, Plan, bridge_name
from infra.source import commit

REFUSALS = (machine.NotSetUpError, settings.SettingsError, preflight.RefusedError)
"""What `run` raises when it will not begin; the text says what to do."""


def run() -> None:
    """Build the stack's lab. Raises one of REFUSALS, with all that is wrong, before any resource is touched."""
    name = pulumi.get_stack()
    found = machine.load()
    own = checkout.enter()
    bridges = {bridge_name(own, name, network): network for network in NETWORKS}
    wanted = settings.parse(name, facts.config(), facts.gather(found, bridges), own)
    plan = Plan(own, name, wanted.subnet, wanted.beside, wanted.own.get("nat_subnet"))
    preflight.check(found, plan, [server.name for server in plan.servers(wanted.servers)])
    if not pulumi.runtime.is_dry_run():
        found.make_runtime_dir()
    lab = Blueprint(settings=wanted, plan=plan, machine=found, commit=commit(machine.CHECKOUT, "service"))
    for key, value in program.build(lab).items():
        pulumi.export(key, value)
