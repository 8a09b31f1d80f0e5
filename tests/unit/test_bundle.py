"""The bundle of a bug report: what helps is in it, and no key, secret or personal name."""

from __future__ import annotations

import getpass
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from labkit.lifecycle import bug_report, doctor
from labkit.setup.checks import Check

SALT = "v1:O+2sE8hyjt0=:v1:l9LCVwHgl38yX91w:QyG4f4RPDcC3GgHBMvvF6nouxf4QfA=="
SIGN = "4dabf18193072939515e22adb298388d"


def text_of(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        members = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: stream.read().decode() for name, stream in members.items() if stream is not None}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose logs, configuration and state hold every kind of secret that there could be."""
    lab = tmp_path / ".state" / "deployment"
    lab.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(lab / "id_ed25519")], check=True)
    private, public = (
        (lab / "id_ed25519").read_text(encoding="utf-8"),
        (lab / "id_ed25519.pub").read_text(encoding="utf-8"),
    )
    logs = tmp_path / ".state" / "logs"
    logs.mkdir()
    (logs / "1-up.log").write_text(
        f"## ssh-keygen\n{private}\n{public}\nDEPLOY_TOKEN=hidden-1 --password: hidden-2\n"
        f"https://me:hidden-3@example.org/ {Path.home()}/.cache/x  kept line\n",
        encoding="utf-8",
    )
    (lab / "vm-1-playbook.log").write_text(f"✗ it failed\n{private[: len(private) // 2]}", encoding="utf-8")
    (tmp_path / "Pulumi.deployment.yaml").write_text(f"config:\n  k: v\nencryptionsalt: {SALT}\n", encoding="utf-8")
    stacks = tmp_path / ".state" / "pulumi" / ".pulumi" / "stacks" / "vm-vs-container"
    stacks.mkdir(parents=True)
    state = {
        "secrets_providers": {"type": "passphrase", "state": {"salt": SALT}},
        "resources": [{"type": "t", "inputs": {"a": {SIGN: "1b47", "ciphertext": "hidden-4"}, "memory": 512}}],
        "cmdlines": [{"vvc.sshkey": "hidden-5"}],
    }
    (stacks / "deployment.json").write_text(json.dumps(state), encoding="utf-8")
    for module in ("lifecycle.bug_report", "system.stack_files"):
        monkeypatch.setattr(f"labkit.{module}.CHECKOUT", tmp_path)
        monkeypatch.setattr(f"labkit.{module}.STATE", tmp_path / ".state")
    monkeypatch.setattr(doctor, "look", lambda: [Check("memory", ok=True, found="lots")])
    return tmp_path


def test_no_key_material_is_in_it(checkout: Path) -> None:
    """Neither whole nor a line of it, and none of the state's secrets."""
    text = "\n".join(text_of(bug_report.pack(checkout / "b.tar.gz")).values())
    lab = checkout / ".state" / "deployment"
    private = [
        line for line in (lab / "id_ed25519").read_text(encoding="utf-8").splitlines() if not line.startswith("-----")
    ]
    public = (lab / "id_ed25519.pub").read_text(encoding="utf-8").split()[1]
    for secret in (*private, public, SALT, "PRIVATE KEY", *(f"hidden-{number}" for number in range(1, 6))):
        assert secret not in text, secret
    assert f"{Path.home()}/" not in text


def test_what_helps_is_in_it(checkout: Path) -> None:
    """Logs, playbook logs, configuration, versions, doctor's answers, the state."""
    found = text_of(bug_report.pack(checkout / "b.tar.gz"))
    assert set(found) == {
        f"bug-report/{name}"
        for name in (
            "doctor.json",
            "versions.json",
            "logs/1-up.log",
            "deployment/Pulumi.deployment.yaml",
            "deployment/vm-1-playbook.log",
            "deployment/state.json",
        )
    }
    assert "kept line" in found["bug-report/logs/1-up.log"]
    assert "✗ it failed" in found["bug-report/deployment/vm-1-playbook.log"]
    assert json.loads(found["bug-report/deployment/state.json"])["resources"][0]["inputs"]["memory"] == 512
    assert json.loads(found["bug-report/versions.json"])["python"]
    assert json.loads(found["bug-report/doctor.json"])[0]["found"] == "lots"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/ada/lab and /home/adam", "~/lab and /home/adam"),
        ("ada@engine-7 wrote", "<user>@<host> wrote"),
        ("adapter", "adapter"),
    ],
)
def test_personal_names_are_replaced(text: str, left: str) -> None:
    """As whole words only."""
    assert bug_report.cleaner("/home/ada", "ada", "engine-7")(text) == left


def test_common_words_stay() -> None:
    """An account called root must not make the text unreadable."""
    assert bug_report.cleaner("/root", "root", "vm")("root file system of vm-1 in /root/x") == (
        "root file system of vm-1 in ~/x"
    )
    assert getpass.getuser()
