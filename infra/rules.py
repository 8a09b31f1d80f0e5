"""The one table of what Pulumi must not see as a change, or must see as a replacement, and why.

Everything that the providers report or do otherwise than the program says stands here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Rule:
    """Exceptions for one resource type: property path -> reason."""

    ignore: Mapping[str, str]
    replace: Mapping[str, str]


RULES: Mapping[str, Rule] = {
    "server container": Rule(
        ignore={
            "securityOpts": "the engine does not report systempaths=unconfined back",
            "waitTimeout": "says how long to wait for the server, not what the server is",
        },
        replace={},
    ),
    "tool container": Rule(
        ignore={"healthcheck": "one that is switched off reads back as a changed one"},
        replace={},
    ),
    "domain": Rule(
        ignore={
            "networkInterfaces[0].addresses": "reads back empty without a DHCP lease",
            "running": "counts at create only; a domain that someone shut off is not a change of the lab",
        },
        replace={"*": "the provider's update of most properties is a silent no-op, and any update starts the domain"},
    ),
}


def options(kind: str) -> pulumi.ResourceOptions:
    """Resource options with the exceptions for one kind of resource."""
    rule = RULES[kind]
    return pulumi.ResourceOptions(
        ignore_changes=list(rule.ignore),
        replace_on_changes=list(rule.replace),
        # Where the provider would have made no replacement of a change, Pulumi would make the new one first, whose
        # name is then taken.
        delete_before_replace=True if rule.replace else None,
    )
