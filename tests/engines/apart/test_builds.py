"""Builds on a real engine download as this machine does, and what they make does not depend on a clone's umask."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from infra import engine_client, plan
from labkit.setup.building import base as images_base
from labkit.setup.building import images, workshop
from labkit.system import paths
from labkit.system.errors import LabError
from labkit.system.progress import Quiet
from tests.engines.apart.forward_proxy import forward_proxy

pytestmark = pytest.mark.engine

TAG = f"{plan.PROJECT}/test-build:{paths.CHECKOUT_ID}"
APT = b"""ARG BASE
FROM ${BASE}
COPY apt.conf /tmp/
RUN export APT_CONFIG=/tmp/apt.conf && apt-get update -q && apt-get install -y -q hello
"""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    engine = engine_client.connect(os.environ["DOCKER_HOST"], 60)
    yield engine
    workshop.remove_images(engine, TAG)
    engine.close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def base_tag(client: docker.DockerClient) -> str:
    base = images_base.load(images.folder())
    assert base is not None
    keys = images._keys(base)
    images._base_image(client, base, keys)
    return keys.base_tag


def build(client: docker.DockerClient) -> None:
    contents: dict[str, Path | bytes] = {"Dockerfile": APT, images.APT: images.RECIPES / images.APT}
    arguments = {"BASE": base_tag(client)}
    workshop.build(client, contents, "Dockerfile", tag=TAG, arguments=arguments, progress=Quiet())


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_apt_in_a_build_goes_through_the_persons_proxy_on_loopback(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """And the proxy, with its password, is not in the image."""
    workshop.remove_images(client, TAG)
    with forward_proxy() as (url, asked):
        monkeypatch.setenv(variable, url.replace("http://", "http://me:secret@"))
        build(client)
    assert any("hello" in path for path in asked)
    image = client.images.get(TAG)
    assert "secret" not in str(image.attrs) + str(image.history())


@pytest.mark.parametrize(("refusal", "told"), [(407, "The proxy refuses"), (403, "The server refuses")])
def test_a_build_that_a_proxy_keeps_from_downloading_says_so_in_a_sentence(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, refusal: int, told: str
) -> None:
    workshop.remove_images(client, TAG)
    with forward_proxy(refusal) as (url, _):
        monkeypatch.setenv("http_proxy", url)
        with pytest.raises(LabError, match=told) as raised:
            build(client)
    assert str(refusal) in raised.value.problem
    assert url in raised.value.problem
    assert len(raised.value.problem) < 600
    assert "Unable to locate" not in raised.value.problem


@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_the_services_image_works_from_a_clone_of_any_umask(
    client: docker.DockerClient, tmp_path: Path, umask: int
) -> None:
    """Built as Pulumi's provider does, which packs the files' modes as they are."""
    service = tmp_path / "service"
    shutil.copytree(paths.CHECKOUT / "service", service, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (service, *service.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
    arguments = {"BASE": base_container(client), "VERSION": "1", "COMMIT": str(umask)}
    client.images.build(path=str(service), tag=TAG, buildargs=arguments, rm=True)
    look = "id -u; stat -c %a service service/*.py service/release.json; python3 -c 'import service.app'"
    said = client.containers.run(TAG, entrypoint=["sh", "-c", look], network_mode="none", remove=True)
    told = said.decode().split()
    assert told[:2] == ["990", "755"]
    assert set(told[2:]) == {"644"}


def base_container(client: docker.DockerClient) -> str:
    base = images_base.load(images.folder())
    assert base is not None
    keys = images._keys(base)
    images._container(client, base, keys, Quiet())
    return keys.container_tag
