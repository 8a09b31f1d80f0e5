"""bench/*.json as tables for people. Pure; the README's blocks are made from them and held against them by a test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def marks(what: str) -> tuple[str, str]:
    """Where the block of one bench begins and ends in the README."""
    return f"<!-- bench:{what} -->", f"<!-- /bench:{what} -->"


def table(result: Mapping[str, Any], what: str) -> str:
    """Markdown: one row a figure with median, spread, n and aim; then the cold set-up, and the machine."""
    box = result["machine"]
    rows = [
        f"Medians in seconds, measured by `./lab bench {what}` on {box['cpus']} cores ({box['cpu']}), "
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


def into(readme: str, result: Mapping[str, Any], what: str) -> str:
    """The README with the block of one bench made anew. Raises ValueError when it has no such block."""
    begin, end = marks(what)
    block = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if not block.search(readme):
        raise ValueError(f"README.md has no block {begin} … {end}")
    return block.sub(lambda _: f"{begin}\n{table(result, what)}\n{end}", readme)
