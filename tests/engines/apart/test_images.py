"""The images of this machine are ready, and a look at the accelerator tells the truth."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from labkit.setup import accelerator
from labkit.setup.building import images, workshop
from labkit.system.errors import LabError
from labkit.system.progress import Quiet

pytestmark = pytest.mark.engine

COMMAND = ["sleep", "61"]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    engine = docker.from_env()
    yield engine
    engine.close()


def test_images_that_are_ready_are_not_made_again(client: docker.DockerClient) -> None:
    ready = images.ensure(client, Quiet())
    before = {file: file.stat().st_mtime_ns for file in ready.guest_dir.iterdir()}
    assert images.ensure(client, Quiet()) == ready
    assert {file: file.stat().st_mtime_ns for file in ready.guest_dir.iterdir()} == before
    assert sorted(file.name for file in before) == sorted(images.GUEST_FILES)


def test_the_marker_comes_from_a_kernel_that_boots(client: docker.DockerClient) -> None:
    """The same boot on the accelerator that works everywhere: a `tcg` verdict is not for want of a working check."""
    ready = images.ensure(client, Quiet())
    script = accelerator._SCRIPT.replace("-accel kvm -cpu host", "-accel tcg")
    assert script != accelerator._SCRIPT
    status, output = workshop.run(
        client, ready.server, ["sh", "-c", script, "300"], folders={ready.guest_dir: "/guest"}, within_s=360
    )
    assert accelerator.judge(status, output)[0] == "kvm"


def test_a_command_that_hangs_is_ended_and_leaves_no_container(client: docker.DockerClient) -> None:
    ready = images.ensure(client, Quiet())
    with pytest.raises(LabError, match="took more than 1 s"):
        workshop.run(client, ready.server, COMMAND, folders={}, within_s=1)
    label = f"{workshop.BUILD_LABEL}={workshop._label_value()}"
    # Others build for the same cache meanwhile.
    there = client.containers.list(all=True, filters={"label": [label]}, ignore_removed=True)
    assert [one for one in there if one.attrs["Path"] == COMMAND[0] and one.attrs["Args"] == COMMAND[1:]] == []
