"""Where things lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.system import paths


@pytest.mark.parametrize(("uid", "base"), [(0, "/run"), (1000, "/short/cache")])
def test_sockets_lie_where_a_logout_leaves_them(uid: int, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in XDG_RUNTIME_DIR, which goes with its user's last session."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("VVC_CACHE", "/short/cache")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert paths.runtime() == Path(base, f"vvc-{paths.CHECKOUT_ID}")
