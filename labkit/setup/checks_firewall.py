"""Doctor's check of the packet filter: whether the engine's rules are there, and what stands in the way."""

from __future__ import annotations

from contextlib import suppress

from labkit.setup.checks import Check
from labkit.setup.docker import engine, rules
from labkit.system import root, shell
from labkit.system.errors import LabError

_QUICK_S = 10


def firewall() -> Check:
    """The backend of the engine's rules: nftables by itself (Docker 29), or iptables of one of two kinds."""
    driver = ""
    with suppress(LabError):
        found = engine.connect()
        if found is not None:
            with found.client() as client:
                info = client.info()
                driver = str((info.get("FirewallBackend") or {}).get("Driver", ""))
                gone, obstacle = rules.look_again(client, info, private=found.private)
            if gone:
                # What we start again ourselves is nothing that `up` could not do without.
                return Check("firewall", False, gone, rules.hint(private=found.private), not found.private)
            if obstacle:
                return Check("firewall", False, obstacle, rules.passage(obstacle))
    if driver:
        return Check("firewall", True, f"the engine's backend is {driver}")
    told = shell.run([root.which("iptables") or "iptables", "--version"], timeout_s=_QUICK_S, check=False)
    version = told.output.strip() if told.ok else "no iptables"
    return Check("firewall", told.ok, version, "./lab setup brings iptables, with which engines make rules", False)
