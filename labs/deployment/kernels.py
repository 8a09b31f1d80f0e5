"""Another Debian kernel than the guests', to be booted once: fetched by apt inside a server, kept in the cache."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from infra.outputs import Server
from labkit.measure.experiment import Place
from labkit.sides import Runner, reach
from labkit.system import paths
from labkit.system.errors import LabError

FETCH_WITHIN_S = 300.0
"""35 MB are fetched: a cloud kernel of the same Debian release, of another version than the one that runs."""

_FETCH = """
set -eu
work=$1
shift
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
cd "$work"
for release; do echo "linux-image-$release"; done > unwanted
options="-o Dir::State::lists=$work/lists -o Dir::Cache=$work/cache
    -o Acquire::Languages=none -o APT::Sandbox::User=root"
apt-get $options -qq update
package=$(apt-cache $options pkgnames linux-image- | grep -E '^linux-image-[0-9].*-cloud-amd64$' |
    grep -v -x -F -f unwanted | sort -V | tail -n 1)
apt-get $options -qq download "$package"
release=${package#linux-image-}
dpkg-deb --fsys-tarfile ./*.deb | tar -x -O "./boot/vmlinuz-$release" > vmlinuz
rm -rf lists cache unwanted ./*.deb
echo "release $release"
"""


def folder() -> Path:
    """Where they are kept: KERNELS/RELEASE/vmlinuz."""
    return paths.cache() / "kernels"


def kept(running: Collection[str]) -> tuple[str, Path] | None:
    """A kernel that is there already, with its release: the last one by name that is none of those that run."""
    found = sorted(file for file in folder().glob("*/vmlinuz") if file.parent.name not in running)
    return (found[-1].parent.name, found[-1]) if found else None


def into(place: Place, server: Server, run: Runner, work: str, running: Collection[str]) -> str:
    """Put a kernel of none of the releases `running` into the server, as WORK/vmlinuz; its release.

    Raises LabError when there is none in the cache and none can be fetched.
    """
    run(["mkdir", "-p", work])
    inside = f"{work}/vmlinuz"
    if (there := kept(running)) is not None:
        reach.copy_in(server.reach, there[1], inside)
        return there[0]
    with place.progress.step("Fetching another Debian kernel (35 MB, once)"):
        lines = run(["sh", "-c", _FETCH, "sh", work, *sorted(running)], FETCH_WITHIN_S).output.splitlines()
    releases = [line.split()[1] for line in lines if line.startswith("release ")]
    if not releases:
        raise LabError(f"apt found no other kernel: {lines[-1:]}", hint="run it again where there is a network")
    target = folder() / releases[0] / "vmlinuz"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".vmlinuz.{os.getpid()}")
    reach.copy_out(server.reach, inside, draft)
    draft.replace(target)
    return releases[0]
