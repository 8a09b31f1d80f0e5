"""ansible-lint, production profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labkit.system import paths, shell


def test_playbooks_pass_ansible_lint_in_its_production_profile() -> None:
    tools = Path(sys.executable).parent
    shell.run(
        [tools / "ansible-lint", "--offline", "--profile", "production", "--strict", "playbooks"],
        cwd=paths.CHECKOUT,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "NO_COLOR": "1"},
        timeout_s=120,
    )
