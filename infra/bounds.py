"""Bounds of waits, as data: what is enough on an emulated CPU, and the variable by which a slower machine gets more."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A bound in seconds of `what`. `variable` names the environment variable that sets another, in whole seconds."""

    variable: str
    default_s: int
    what: str

    @property
    def given(self) -> int | None:
        """What the variable says, if that is a whole number above 0."""
        text = os.environ.get(self.variable, "")
        return int(text) if text.isdecimal() and int(text) > 0 else None

    @property
    def seconds(self) -> int:
        """What holds now: what the variable says, else the default."""
        return self.given or self.default_s


HEALTHY = Bound("VVC_HEALTHY_TIMEOUT_S", 90, "the rung *server healthy*")
"""A server takes 3 s on an idle machine."""

SSH = Bound("VVC_SSH_TIMEOUT_S", 120, "the rung *sshd answers*, from the domain's start")
"""An emulated guest takes 7 s on an idle machine."""

READY = Bound("VVC_READY_TIMEOUT_S", 60, "the rung *service answers*")

PLAYBOOK = Bound("VVC_PLAYBOOK_TIMEOUT_S", 300, "a whole playbook")
"""A first converge takes 15 s in an emulated guest; this leaves room for a busy machine."""

COMMAND = Bound("VVC_COMMAND_TIMEOUT_S", 60, "a short question to a program; where it is set, no command gets less")
"""Such as `pulumi stack ls`."""

PULUMI = Bound("VVC_PULUMI_TIMEOUT_S", 30 * 60, "one `pulumi up` or `pulumi destroy` as a whole")

ACCELERATOR = Bound("VVC_ACCELERATOR_TIMEOUT_S", 10, "the boot of a kernel that decides whether KVM can be used")
"""About a second on a real KVM."""

ALL = (HEALTHY, SSH, READY, PLAYBOOK, PULUMI, COMMAND, ACCELERATOR)
