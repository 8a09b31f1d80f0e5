"""bench/*.json as a table for people. Pure; the README's block is made from it and held against it by a test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

BEGIN, END = "<!-- bench:up -->", "<!-- /bench:up -->"
_BLOCK = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)


def table(result: Mapping[str, Any]) -> str:
    """Markdown: one row a figure with median, spread, n and aim; then the cold set-up, and the machine."""
    box = result["machine"]
    rows = [
        f"Medians in seconds, measured by `./lab bench up` on {box['cpus']} cores ({box['cpu']}), "
        f"accelerator {box['accelerator']}, kernel {box['kernel']}, Docker Engine {box['engine']}, caches warm.",
        "",
        "| what | median | min to max | n | aim |",
        "|---|---:|---:|---:|---:|",
    ]
    for figure in result["figures"]:
        aim = f"{figure['aim_s']:.0f}" if figure["aim_s"] else ""
        rows.append(
            f"| {figure['name']} | {figure['median_s']:.1f} | {figure['min_s']:.1f} to {figure['max_s']:.1f} | "
            f"{figure['n']} | {aim} |"
        )
    cold = result.get("cold_setup_s", {})
    if cold:
        rows += ["", "Set-up from nothing, part by part (n = 1):", "", "| part | seconds |", "|---|---:|"]
        rows += [f"| {part} | {seconds:.0f} |" for part, seconds in cold.items()]
        rows.append(f"| all of these | {sum(cold.values()):.0f} |")
    return "\n".join(rows)


def into(readme: str, result: Mapping[str, Any]) -> str:
    """The README with its block of figures made anew. Raises ValueError when it has no such block."""
    if not _BLOCK.search(readme):
        raise ValueError(f"README.md has no block {BEGIN} … {END}")
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{table(result)}\n{END}", readme)
