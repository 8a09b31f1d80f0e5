"""Bounds of waits, as data: what is enough on an emulated CPU, and the variable by which a slower machine gets more."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A bound in seconds. `variable` names the environment variable that sets another, in whole seconds."""

    variable: str
    default_s: int

    @property
    def given(self) -> int | None:
        """What the variable says, if that is a whole number above 0."""
        text = os.environ.get(self.variable, "")
        return int(text) if text.isdecimal() and int(text) > 0 else None

    @property
    def seconds(self) -> int:
        """What holds now: what the variable says, else the default."""
        return self.given or self.default_s


HEALTHY = Bound("VVC_HEALTHY_TIMEOUT_S", 90)
"""The rung "server healthy"; a server takes 3 s on an idle machine."""

SSH = Bound("VVC_SSH_TIMEOUT_S", 120)
"""The rung "sshd answers", from the domain's start. An emulated guest takes 7 s on an idle machine."""

READY = Bound("VVC_READY_TIMEOUT_S", 60)
"""The rung "service answers"."""

PLAYBOOK = Bound("VVC_PLAYBOOK_TIMEOUT_S", 300)
"""A whole playbook. A first converge takes 15 s in an emulated guest; this leaves room for a busy machine."""

COMMAND = Bound("VVC_COMMAND_TIMEOUT_S", 60)
"""A short question to a program, such as `pulumi stack ls`. Where the variable is set no command gets less."""

PULUMI = Bound("VVC_PULUMI_TIMEOUT_S", 30 * 60)
"""One `pulumi up` or `pulumi destroy` as a whole."""
