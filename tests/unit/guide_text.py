"""A small guide without mistakes, and how to damage it."""

from __future__ import annotations

from labkit.guide.rules import SECTIONS, WITH_STEPS

COMMANDS = {
    "Bring up": "pulumi up -s demo --yes",
    "Look inside": "./lab exec vm-1 id; ./lab exec container-1 id",
}


def step(title: str, command: str = "true", check: str = "true", hint: str = "look again") -> str:
    """A step as it should be."""
    return f"### {title}\n\nProse.\n\n```sh\n{command}\n```\n\n```check\n{check}\n```\n\n> Hint: {hint}\n"


def guide(**changed: str) -> str:
    """A guide; `changed` gives another body to a section, by its slug with underscores."""
    parts = ["# A demo\n\nWhat it is about.\n"]
    for name in SECTIONS:
        body = "Prose.\n"
        if name == "Picture":
            body += "\n```mermaid\nflowchart LR\n  a --> b\n```\n"
        if name in WITH_STEPS:
            check = "./lab leftovers demo" if name == "Clean up" else "true"
            body += "\n" + step(f"Do {name.lower()}", COMMANDS.get(name, "true"), check)
        parts.append(f"## {name}\n\n{changed.get(name.lower().replace(' ', '_'), body)}")
    return "\n".join(parts)
