"""A registry that refuses leads to the second way, prepared then; builds and pulls send nothing of the person's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from infra import engine_client
from labkit.setup.building import _bootstrap, workshop
from labkit.setup.building import base as images_base
from labkit.setup.docker import engine
from labkit.system.errors import CommandError, LabError
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet
from tests.unit.fake_engine import FakeEngine, fake_engine

X509 = 'Get "https://registry.example/v2/": x509: certificate signed by unknown authority'


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path) as found:
        yield found


@pytest.fixture
def client(fake: FakeEngine) -> Iterator[docker.DockerClient]:
    client = engine_client.connect(fake.host, 5)
    yield client
    client.close()


class Told(Quiet):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


REFUSALS = [
    (429, "toomanyrequests: You have reached your unauthenticated pull rate limit.", "toomanyrequests"),
    (500, X509, "A certificate is not one that this machine trusts"),
    (403, "denied: requested access to the resource is denied", "The server refuses"),
    (
        500,
        'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
        "no such host",
    ),
    (500, "received unexpected HTTP status: 503 Service Unavailable", "503 Service Unavailable"),
    (500, 'error parsing HTTP 403 response body: invalid character "<" looking for beginning of value', "403"),
]


@pytest.mark.parametrize(("status", "said", "told"), REFUSALS, ids=[case[2] for case in REFUSALS])
def test_a_registry_that_refuses_leads_to_the_second_way(
    fake: FakeEngine,
    client: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    said: str,
    told: str,
) -> None:
    """It is prepared now, and what the registry said is one line."""
    fake.answers["/distribution/"] = (status, {"message": said}, 0.0)
    happened: list[str] = []

    def bootstrap(_: docker.DockerClient, release: str, rootfs: Path, __: object) -> None:
        happened.append(release)
        rootfs.write_bytes(b"files")

    monkeypatch.setattr(_bootstrap, "make", bootstrap)
    progress = Told()
    base = images_base.make(client, tmp_path, progress, lambda: happened.append("prepared"))
    assert happened == ["prepared", "trixie"]
    assert base.source == "mmdebstrap"
    assert any(told in line for line in progress.lines)
    assert not any("\n" in line for line in progress.lines)


def test_a_registry_that_hangs_is_given_up(
    fake: FakeEngine, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "_REGISTRY_WITHIN_S", 0.2)
    fake.answers["/distribution/"] = (200, {}, 60.0)
    with pytest.raises(LabError, match="does not answer"):
        workshop.pull(client, "debian:trixie-slim", Quiet())


def test_a_pull_that_breaks_off_is_told(fake: FakeEngine, client: docker.DockerClient) -> None:
    """The registry gives the manifest, and no layer."""
    fake.answers["/distribution/"] = (200, {}, 0.0)
    events = [{"status": "Pulling from library/debian"}, {"error": "toomanyrequests: too many", "errorDetail": {}}]
    fake.answers["/images/create"] = (200, "\r\n".join(map(json.dumps, events)).encode(), 0.0)
    with pytest.raises(LabError, match="toomanyrequests"):
        workshop.pull(client, "debian:trixie-slim", Quiet())


def test_where_both_ways_fail_both_are_told_and_a_file_is_the_next_step(
    fake: FakeEngine, client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers["/distribution/"] = (429, {"message": "toomanyrequests: slow down"}, 0.0)
    fake.answers["/images/json"] = (200, [], 0.0)
    monkeypatch.setattr("shutil.which", lambda name, **_: None)

    def refuse() -> None:
        raise LabError("Missing: mmdebstrap", hint="install it")

    with pytest.raises(LabError) as raised:
        images_base.make(client, tmp_path, Quiet(), refuse)
    assert "toomanyrequests" in raised.value.problem
    assert "Missing: mmdebstrap" in raised.value.problem
    assert "./lab setup --export" in raised.value.hint


CONFIGS = [
    {"credsStore": "desktop"},
    {"credHelpers": {"gcr.io": "gcloud", "docker.io": "gcloud"}},
    {"auths": {"https://index.docker.io/v1/": {"auth": "no base64 at all"}}},
    {"auths": ["not", "a", "table"]},
    {"auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"}}},
]


@pytest.mark.parametrize("config", [*map(json.dumps, CONFIGS), "{ no JSON"])
@pytest.mark.parametrize("by", ["HOME", "DOCKER_CONFIG"])
def test_nothing_of_the_persons_docker_configuration_matters(
    fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, by: str
) -> None:
    """A missing credential helper, a broken file, an account: builds and pulls send none of it."""
    folder = tmp_path / "person" if by == "DOCKER_CONFIG" else tmp_path / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(config, encoding="utf-8")
    monkeypatch.setenv(by, str(folder if by == "DOCKER_CONFIG" else tmp_path))
    fake.answers["/build"] = (200, b'{"stream": "Successfully built 0123"}\r\n', 0.0)
    fake.answers["/distribution/"] = (200, {}, 0.0)
    fake.answers["/images/create"] = (200, b'{"status": "done"}\r\n', 0.0)
    monkeypatch.setattr("infra.engine_place.look", lambda *_: None)
    monkeypatch.setattr("infra.engine_place.problem", lambda *_: "")
    found = engine._ask(fake.host, private=False)
    assert found is not None
    with found.client() as own:
        workshop.build(own, {"Dockerfile": b"FROM scratch\n"}, "Dockerfile", tag="x:1", arguments={}, progress=Quiet())
        workshop.pull(own, "debian:trixie-slim", Quiet())
    sent = {name for _, headers, _ in fake.asked for name in headers}
    assert not {"X-Registry-Auth", "X-Registry-Config"} & sent


def test_a_build_gets_the_machines_network_and_proxies(
    fake: FakeEngine, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As predefined build arguments, which leave no trace in the image."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    fake.answers["/build"] = (200, b'{"stream": "Successfully built 0123"}\r\n', 0.0)
    workshop.build(client, {"Dockerfile": b"FROM scratch\n"}, "Dockerfile", tag="x:1", arguments={}, progress=Quiet())
    asked = next(path for path, _, _ in fake.asked if "/build" in path)
    assert "networkmode=host" in asked
    assert "%22http_proxy%22%3A+%22http%3A%2F%2F127.0.0.1%3A3128%22" in asked
    assert "%22HTTP_PROXY%22" in asked


def test_a_build_that_fails_is_told_by_its_cause(fake: FakeEngine, client: docker.DockerClient) -> None:
    """Not by the command, which is long, nor by what follows from it."""
    said = ["E: Failed to fetch http://ftp.debian.org/x  Temporary failure resolving 'ftp.debian.org'\n"]
    said += [f"E: Unable to locate package p{number}\n" for number in range(20)]
    events = [
        *({"stream": line} for line in said),
        {"error": f"The command '/bin/sh -c {'x ' * 300}' returned a non-zero code: 100"},
    ]
    fake.answers["/build"] = (200, "\r\n".join(map(json.dumps, events)).encode(), 0.0)
    with pytest.raises(LabError) as raised:
        workshop.build(
            client, {"Dockerfile": b"FROM scratch\n"}, "Dockerfile", tag="x:1", arguments={}, progress=Quiet()
        )
    assert "Temporary failure resolving" in raised.value.problem
    assert "Unable to locate" not in raised.value.problem
    assert "/bin/sh" not in raised.value.problem
    assert "no proxy" in raised.value.problem
    assert "http_proxy" in raised.value.hint


WAYS = [
    (0, "E: unable to pick chroot mode automatically", ["mmdebstrap", "in a container"]),
    (1000, "E: unable to pick chroot mode automatically", ["mmdebstrap", "as root", "in a container"]),
    (1000, "E: Failed to fetch http://x/y  Temporary failure resolving 'x'", ["mmdebstrap"]),
    (1000, "tar: /x: Cannot write: No space left on device", ["mmdebstrap"]),
    (0, "E: The repository 'http://x trixie InRelease' is not signed.", ["mmdebstrap"]),
]


@pytest.mark.parametrize(("user", "said", "tried"), WAYS, ids=[f"{case[0]}-{case[1][3:20]}" for case in WAYS])
def test_only_for_want_of_rights_another_way_is_tried(
    fake: FakeEngine,
    client: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    user: int,
    said: str,
    tried: list[str],
) -> None:
    """And the message says what is missing."""
    fake.answers["/images/json"] = (200, [], 0.0)
    happened: list[str] = []

    def alone(words: list[str], **_: object) -> Outcome:
        if words[0] == "mmdebstrap":
            happened.append("mmdebstrap")
            raise CommandError(Outcome(tuple(words), 25, said, 1.0))
        return Outcome(tuple(words), 1, "", 0.0)

    def as_root(words: list[str], **_: object) -> Outcome:
        happened.append("as root")
        raise LabError("This needs root, and there is no sudo.", hint="As root: …")

    monkeypatch.setattr("labkit.system.shell.run", alone)
    monkeypatch.setattr("labkit.system.root.run", as_root)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name, **_: f"/usr/bin/{name}")
    with pytest.raises(LabError) as raised:
        _bootstrap.make(client, "trixie", tmp_path / "rootfs.tar", Quiet())
    told = raised.value.problem
    assert happened == [way for way in tried if way != "in a container"]
    assert ("the engine has no image of a Debian" in told) == ("in a container" in tried)
    assert said.partition(": ")[2] in told
    assert "apt-get update" not in raised.value.hint


def test_the_workshop_is_an_image_that_has_apt(fake: FakeEngine, client: docker.DockerClient) -> None:
    tags = [["x:1"], ["debian:bookworm", "y:1"], ["debian:12-slim"]]
    listed = [{"Id": f"sha256:{number}", "RepoTags": names} for number, names in enumerate(tags)]
    fake.answers["/images/json"] = (200, listed, 0.0)
    for image in listed:
        fake.answers[f"/images/{image['Id']}/json"] = (200, image, 0.0)
    assert _bootstrap.image_with_apt(client) == "debian:12-slim"
