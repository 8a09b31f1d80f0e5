"""What `pulumi up` runs: load, check, build, export."""

from __future__ import annotations

import pulumi

from infra import facts, machine, preflight, program, settings
from infra.lab import Lab
from infra.plan import Plan, bridge_name, checkout_id
from infra.source import service_commit


def main() -> None:
    """Build the stack's lab, or say all that is wrong before any resource is touched."""
    name = pulumi.get_stack()
    try:
        found = machine.load()
        checkout = checkout_id(found.checkout)
        wanted = settings.parse(name, facts.config(), facts.gather(found, bridge_name(checkout, name)), checkout)
        plan = Plan(checkout=checkout, lab=name, subnet=wanted.subnet)
        preflight.check(found, plan)
    except (machine.NotSetUpError, settings.SettingsError, preflight.RefusedError) as error:
        raise pulumi.RunError(str(error)) from error
    found.make_runtime_dir()
    lab = Lab(settings=wanted, plan=plan, machine=found, commit=service_commit(machine.CHECKOUT))
    for key, value in program.build(lab).items():
        pulumi.export(key, value)


main()
