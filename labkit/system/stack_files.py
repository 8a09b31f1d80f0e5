"""Which labs there are: a lab is a committed stack file, Pulumi.<lab>.yaml."""

from __future__ import annotations

from typing import Any

from infra import plan
from labkit.system.errors import LabError, meant
from labkit.system.paths import CHECKOUT, STATE


def names() -> list[str]:
    """All labs, sorted."""
    return sorted(file.name.split(".")[1] for file in CHECKOUT.glob("Pulumi.*.yaml"))


def example() -> str:
    """A lab to name in a hint: the first."""
    return next(iter(names()), "LAB")


def known(name: str) -> str:
    """The name, if it is a lab's, and its stack file can be read. Raises LabError naming those that there are."""
    labs = names()
    if name in labs:
        config(name)
        return name
    own = (STATE / name / "id_ed25519", CHECKOUT / "labs" / name / "lab.py")
    if not labs or any(file.exists() for file in own):
        file = f"Pulumi.{name}.yaml" if labs else "Pulumi.*.yaml"
        raise LabError(f"The stack file {file} is gone from {CHECKOUT}.", hint=f"git checkout -- '{file}'")
    raise LabError(
        f"There is no lab {name!r}; there is {', '.join(labs)}.",
        hint=meant(name, labs, f"Try: ./lab up {example()}"),
    )


def config(name: str) -> dict[str, Any]:
    """The lab's configuration as its stack file has it, without the project's prefix. Raises LabError."""
    import yaml  # noqa: PLC0415 - most commands end without it

    file = CHECKOUT / f"Pulumi.{name}.yaml"
    hint = f"git diff {file.name}; git checkout -- {file.name}"
    try:
        values = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("config") or {}
        found = {str(key).removeprefix(f"{plan.PROJECT}:"): value for key, value in values.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LabError(
            f"The stack file {file.name} cannot be read: {' '.join(str(error).split())}", hint=hint
        ) from error
    except AttributeError:
        raise LabError(f"The stack file {file.name} is no mapping with a mapping 'config'.", hint=hint) from None
    return found


def clustered(name: str) -> bool:
    """Whether the lab's servers are members of clusters. Raises LabError."""
    from infra.settings import topology_of  # noqa: PLC0415 - most commands end without it

    return topology_of(config(name)).clusters


def values(name: str) -> dict[str, str]:
    """The same as text, as Pulumi hands it to the program. Raises LabError."""
    found = config(name).items()
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in found}
