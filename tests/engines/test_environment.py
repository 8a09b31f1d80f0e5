"""A shell full of settings for other work: the lab comes up, answers, is configured and goes as in a clean one."""

from __future__ import annotations

import os

import pytest

from infra import outputs
from tests.engines.real import LAB, ROOT, UP_S, command, engine, tool
from tests.engines.test_life import traces

pytestmark = pytest.mark.engine

SHELL = dict(
    word.split("=", 1)
    for word in (
        *("LC_ALL=C", "LANG=de_DE.ISO-8859-1", "PYTHONUTF8=0", "PYTHONIOENCODING=ascii", "PYTHONWARNINGS=error"),
        *("ANSIBLE_RUN_TAGS=x", "ANSIBLE_VAULT_PASSWORD_FILE=/nonexistent", "ANSIBLE_BECOME=1"),
        *("ANSIBLE_STRATEGY=free", "ANSIBLE_CALLBACKS_ENABLED=nope", "SSH_AUTH_SOCK=/nonexistent"),
        *("DOCKER_CONTEXT=foo", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/nonexistent", "DOCKER_API_VERSION=1.1"),
        *("DOCKER_DEFAULT_PLATFORM=linux/riscv64", "LIBVIRT_DEFAULT_URI=foo:///x", "GIT_DIR=/nonexistent"),
        *("PULUMI_STACK=nope", "PULUMI_CONFIG_PASSPHRASE_FILE=/nonexistent", "PULUMI_OPTION_REFRESH=nope"),
        *("http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "ALL_PROXY=socks5://127.0.0.1:9"),
        *("NO_PROXY=172.31.0.0/16", "TMPDIR=/nonexistent"),
    )
)


def test_the_lab_lives_in_a_shell_full_of_other_work(lab: outputs.Contract) -> None:
    """Down, up with both sides configured, status, doctor, inside, plain Pulumi by `./lab env`, as in a clean shell.

    Down although the server was killed, and leaves nothing: one bring-up is for both.
    """
    shell = {**os.environ, **SHELL}
    shell.pop("no_proxy", None)  # of `./lab test`
    engine("kill", lab.servers[0].container)
    assert "nothing of it is left" in tool("down", LAB, env=shell).stdout
    assert traces(ROOT) == {}
    assert tool("status", LAB, env=shell).stdout.startswith(f"{LAB}: down.")
    tool("up", LAB, "--yes", timeout_s=UP_S, env=shell)
    told = tool("status", LAB, env=shell).stdout
    assert all(f"✓ {replica.name}" in told for replica in lab.replicas), told
    assert "✗" not in tool("doctor", env=shell).stdout
    for replica in lab.replicas:
        assert tool("exec", replica.name, "uname", "-s", env=shell).stdout.strip() == "Linux"
    plain = f'eval "$(./lab env)" && pulumi up --yes --skip-preview --refresh -s {LAB}'
    done = command(["sh", "-euc", plain], timeout_s=UP_S, env=shell)
    assert "unchanged" in done.stdout
    assert not any(word in done.stdout for word in (" created", " updated", " replaced"))
