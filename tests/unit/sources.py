"""The repository's Python files as syntax trees, read once for all tests that look at them."""

from __future__ import annotations

import ast
import gc
from functools import cache
from pathlib import Path


@cache
def parsed(file: Path) -> ast.Module:
    """A file's syntax tree. Python that is run by a collection within ast.parse breaks it (CPython 3.11)."""
    gc.disable()
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    finally:
        gc.enable()
