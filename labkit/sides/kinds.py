"""What is known of each side beforehand, for whatever judges and reports: infra.sides' rows."""

from __future__ import annotations

from infra.sides import KINDS, SideKind

__all__ = ["KINDS", "SideKind"]
