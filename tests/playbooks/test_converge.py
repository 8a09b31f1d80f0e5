"""The playbooks against a real guest: converge, idempotence, verify, and what each says when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from infra.playbook import PlaybookError
from tests.playbooks.guest import Guest

pytestmark = pytest.mark.engine


def test_first_converge_changes_the_guest_and_the_service_answers(guest: Guest, first: dict[str, Any]) -> None:
    assert first["changed"] > 0
    body = requests.get(f"http://127.0.0.1:{guest.http_port}/whoami", timeout=10).json()
    assert (body["replica"], body["side"], body["version"], body["commit"]) == ("vm-1", "vm", "1", "abc")
    log = (guest.logs / "vm-1.log").read_text(encoding="utf-8")
    assert "vm-1: Unit of the service: changed" in log


def test_second_converge_changes_nothing_neither_in_the_guest_nor_in_the_persons_home(
    guest: Guest, first: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    second = guest.play()
    assert second["changed"] == 0
    assert second["ok"] > 0
    assert list(tmp_path.iterdir()) == []


def test_root_file_system_has_the_disks_size(guest: Guest, first: dict[str, Any]) -> None:
    mib = int(guest.ssh("df --block-size=1M --output=size / | tail -n 1"))
    assert mib > 2500, "the test's disk has 3 GiB"


def test_verify_names_a_wrong_version(guest: Guest, first: dict[str, Any]) -> None:
    with pytest.raises(PlaybookError, match="/whoami: version is 1, wanted 99"):
        guest.play("verify", vvc_version="99")


def test_verify_names_a_stopped_service(guest: Guest, first: dict[str, Any]) -> None:
    guest.ssh("systemctl stop vvc-service.service")
    try:
        with pytest.raises(PlaybookError, match=r"wanted ActiveState=active, systemd says .*ActiveState=inactive"):
            guest.play("verify")
    finally:
        guest.ssh("systemctl start vvc-service.service")


def test_a_file_that_the_service_no_longer_has_goes_and_a_stopped_service_starts(
    guest: Guest, first: dict[str, Any]
) -> None:
    guest.ssh("systemctl stop vvc-service.service; touch /opt/vvc-service/service/old.py")
    assert guest.play()["changed"] > 0
    assert "old.py" not in guest.ssh("ls /opt/vvc-service/service")
    assert requests.get(f"http://127.0.0.1:{guest.http_port}/healthz", timeout=10).status_code == 200


def test_a_host_key_that_was_cut_off_while_it_was_written_is_made_anew(guest: Guest, first: dict[str, Any]) -> None:
    """Its file is there and empty."""
    key = "/etc/ssh/ssh_host_ed25519_key"
    told = guest.ssh(
        f"cp -a {key} /root/kept; : > {key}; systemctl start vvc-host-key.service && sshd -t && stat -c '%a %s' {key}; "
        f"mv /root/kept {key}"
    )
    mode, size = told.split()
    assert mode == "600"
    assert int(size) > 300, "an ed25519 key has some 400 bytes"


def test_a_bad_role_variable_is_refused_by_name(guest: Guest, first: dict[str, Any]) -> None:
    with pytest.raises(PlaybookError, match="value of service_side must be one of: vm, container, got: cloud"):
        guest.play(vvc_side="cloud")


def test_a_service_that_does_not_answer_fails_with_the_units_journal(guest: Guest, first: dict[str, Any]) -> None:
    with pytest.raises(PlaybookError) as caught:
        guest.play(service_url="http://127.0.0.1:9", service_ready_timeout_s=1)
    assert "http://127.0.0.1:9/healthz did not answer 200 within 1 s" in str(caught.value)
    assert "vvc-service" in str(caught.value) or "Uvicorn" in str(caught.value) or "listening" in str(caught.value)


def test_another_host_key_is_refused_unless_it_is_another_machine_then_verify_passes_and_changes_nothing(
    guest: Guest, first: dict[str, Any]
) -> None:
    known = guest.logs / "vm-1.host_key"
    kept = known.read_text(encoding="utf-8")
    mark, line = kept.split("\n", 1)
    foreign = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 42 + "A"
    known.write_text(f"{mark}\n{' '.join([*line.split()[:2], foreign])}\n", encoding="utf-8")
    with pytest.raises(PlaybookError, match=r"(?i)host key"):
        guest.play("verify")
    guest.triggers = ["a replaced machine"]
    assert guest.play("verify")["changed"] == 0
