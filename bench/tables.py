"""bench/*.json as tables for people. Pure; the pages' blocks are made from them and held against them by a test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PAGES: Mapping[str, str] = {
    "up": "README.md",
    "recover": "README.md",
    "guide": "labs/{lab}/INSTRUCTOR.md",
}
"""Bench -> the page, from the checkout's folder, that has its block. One with a lab's name in it is about that lab."""

SECTION = "section "
"""With this begins the name of a figure that is a section of the guide."""

ALL = "all commands of the guide"


def marks(what: str) -> tuple[str, str]:
    """Where the block of one bench begins and ends in its page."""
    return f"<!-- bench:{what} -->", f"<!-- /bench:{what} -->"


def table(result: Mapping[str, Any], what: str) -> str:
    """Markdown: one row a figure with median, spread, n and aim; then the cold set-up, and the machine."""
    rows = [
        f"Medians in seconds, measured {_where(result, what)}",
        "",
        "| what | median | min to max | n | aim |",
        "|---|---:|---:|---:|---:|",
    ]
    for figure in result["figures"]:
        aim = f"{figure['aim']:.0f}" if figure["aim"] else ""
        rows.append(
            f"| {figure['name']} | {figure['median']:.1f} | {figure['min']:.1f} to {figure['max']:.1f} | "
            f"{figure['n']} | {aim} |"
        )
    cold = result.get("cold_setup_s", {})
    if cold:
        rows += ["", "Set-up from nothing, part by part (n = 1):", "", "| part | seconds |", "|---|---:|"]
        rows += [f"| {part} | {seconds:.0f} |" for part, seconds in cold.items()]
        rows.append(f"| all of these | {sum(cold.values()):.0f} |")
    return "\n".join(rows)


def by_section(result: Mapping[str, Any], what: str) -> str:
    """Markdown: what the commands of each section of a guide take, then all of them; and the machine."""
    rows = [
        f"Measured {_where(result, what)}",
        "",
        "| part (section) | commands take, median (least to most) | n |",
        "|---|---:|---:|",
    ]
    for figure in result["figures"]:
        if figure["name"].startswith(SECTION) or figure["name"] == ALL:
            rows.append(
                f"| {figure['name'].removeprefix(SECTION)} | {figure['median']:.1f} s "
                f"({figure['min']:.1f} to {figure['max']:.1f}) | {figure['n']} |"
            )
    return "\n".join(rows)


def into(page: str, result: Mapping[str, Any], what: str) -> str:
    """The page with the block of one bench made anew. Raises ValueError when it has no such block."""
    begin, end = marks(what)
    block = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if not block.search(page):
        raise ValueError(f"The page has no block {begin} … {end}")
    made = by_section(result, what) if what == "guide" else table(result, what)
    return block.sub(lambda _: f"{begin}\n{made}\n{end}", page)


def _where(result: Mapping[str, Any], what: str) -> str:
    box = result["machine"]
    return (
        f"by `./lab bench {what}` on {box['cpus']} cores ({box['cpu']}), accelerator {box['accelerator']}, "
        f"kernel {box['kernel']}, Docker Engine {box['engine']}, caches warm."
    )
