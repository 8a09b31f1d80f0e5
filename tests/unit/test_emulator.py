"""Where the guests' QEMU wrapper lies: where a laptop's AppArmor profile of libvirtd lets it be started."""

from __future__ import annotations

import fnmatch
from pathlib import Path, PurePosixPath

from infra.domain import EMULATOR
from labs.deployment.sides import another_kernel

ROOT = Path(__file__).parents[2]
STARTED = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib/libvirt")
"""Folders whose programs Debian's profile usr.sbin.libvirtd lets libvirtd start, each without its subfolders."""


def test_libvirtds_profile_lets_it_start_the_wrapper() -> None:
    """The profile holds inside an unconfined container, too."""
    assert str(PurePosixPath(EMULATOR).parent) in STARTED


def test_it_is_installed_there_and_everyone_uses_that_one() -> None:
    """The image, the domains and the experiment's own domain."""
    recipe = (ROOT / "images" / "server" / "Dockerfile").read_text(encoding="utf-8")
    assert f"COPY server/emulator.sh {EMULATOR}\n" in recipe
    assert f"<emulator>{EMULATOR}</emulator>" in another_kernel.definition("/w", "tcg", "a=b")
    assert not fnmatch.filter(recipe.split(), "/usr/local/bin/*")
