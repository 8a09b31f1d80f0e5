"""What `./lab setup` found and made on this machine: the one file through which it speaks to the Pulumi program."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from infra import checkout
from infra.checkout import CHECKOUT, NotSetUpError
from infra.settings import Accelerator

__all__ = ["CHECKOUT", "FILE", "SCHEMA_VERSION", "Machine", "NotSetUpError", "load", "save"]

SCHEMA_VERSION = 1
FILE = CHECKOUT / ".state" / "machine.json"


@dataclass(frozen=True)
class Machine:
    """Engine, images, accelerator. Paths are absolute; digests name what the images were made from."""

    schema_version: int
    checkout: str
    """Path of the checkout as it is now: not kept, since checkouts are moved."""
    docker_host: str
    engine_version: str
    cgroup_version: int
    runtime_dir: str
    owner: str
    """uid:gid of the person, who must be able to use the server's sockets."""
    accelerator: Accelerator
    accelerator_reason: str
    server_image: str
    """ID of the server image in the engine."""
    guest_dir: str
    """Folder with disk.qcow2, vmlinuz and initrd.img."""
    guest_digest: str
    container_dir: str
    """Build context of the container base image."""
    container_digest: str
    cluster_image: str = ""
    """ID of the image of a cluster's servers in the engine; "" where no lab that was brought up needs it."""

    def make_runtime_dir(self) -> None:
        """Make the folder of the sockets, for its owner alone; else the engine would make it, for root alone."""
        Path(self.runtime_dir).mkdir(mode=0o700, parents=True, exist_ok=True)

    def sockets_dir(self, lab: str, name: str) -> str:
        """Folder in which the sockets of a lab's server come out, or of what else has some by this name."""
        return f"{self.runtime_dir}/{lab}-{name}"

    def lab_dir(self, lab: str) -> Path:
        """Folder of what one lab keeps on the laptop: keys, logs."""
        return Path(self.checkout) / ".state" / lab

    def private_key(self, lab: str) -> Path:
        """The lab's ssh private key. Only its path may reach Pulumi."""
        return self.lab_dir(lab) / "id_ed25519"

    def public_key(self, lab: str) -> str:
        """The lab's ssh public key."""
        return self.private_key(lab).with_suffix(".pub").read_text(encoding="utf-8").strip()


def socket_dirs(runtime_dir: Path, lab: str) -> list[Path]:
    """Those folders of a lab's sockets that are there."""
    return sorted([*runtime_dir.glob(f"{lab}-server-*"), *runtime_dir.glob(f"{lab}-power")])


def save(machine: Machine, file: Path = FILE) -> None:
    """Write it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    kept = {key: value for key, value in asdict(machine).items() if key != "checkout"}
    draft.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def load(file: Path = FILE) -> Machine:
    """Read it. Raises NotSetUpError when there is none, or when it is not of this checkout and this version."""
    checkout.enter()
    try:
        machine = Machine(**{**json.loads(file.read_text(encoding="utf-8")), "checkout": str(CHECKOUT)})
    except (OSError, ValueError, TypeError) as error:
        raise NotSetUpError("This checkout is not set up.") from error
    if machine.schema_version != SCHEMA_VERSION:
        raise NotSetUpError("This checkout was changed since it was set up.")
    missing = [path for path in (machine.guest_dir, machine.container_dir) if not Path(path).is_dir()]
    if missing:
        raise NotSetUpError(f"Images are gone ({', '.join(missing)}).")
    return machine
