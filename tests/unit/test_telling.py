"""Another program's message is told by its last telling line, without colours and without scripts."""

from __future__ import annotations

import pytest

from infra import telling

MITOGEN = (
    "python3 -c 'import codecs,os,sys;_=codecs.decode;exec(_(_(\"eNqFUU1rwzAMvedXiJ2cUZyk7aBkBDbGDmXs1B13CY6tNKaJ"
    "HeykHf9+ctKxwmC7+H1Ie5KsdXa2A1hVLfOh8iZZJstFsloVq3S9yLLF+iFbpGl2f5+txuvFOl2v7lYeNrvZTRRqgZLIJPaCYlmKK5Ctq"
    '".encode(),"base64"),"zip"))\''
)

SAID: dict[str, tuple[str, str]] = {
    "Docker's builder behind a proxy: the cause, not what follows from it, nor the RUN line": (
        "Step 4/9 : RUN apt-get update && apt-get install -y --no-install-recommends iproute2\n"
        " ---> Running in 0c8f\n"
        "Err:1 a-mirror trixie InRelease\n  Temporary failure resolving 'a-mirror'\n"
        "W: Failed to fetch trixie/InRelease  Temporary failure resolving 'a-mirror'\n"
        "W: Some index files failed to download. They have been ignored, or old ones used instead.\n"
        "E: Unable to locate package iproute2\nE: Unable to locate package libvirt-daemon\n"
        "The command '/bin/sh -c apt-get update && apt-get install -y iproute2' returned a non-zero code: 100",
        "W: Failed to fetch trixie/InRelease Temporary failure resolving 'a-mirror'",
    ),
    "Docker's builder alone": (
        "Step 2/2 : RUN exit 3\n ---> Running in 0c8f\nThe command '/bin/sh -c exit 3' returned a non-zero code: 3",
        "The command '… returned a non-zero code: 3",
    ),
    "BuildKit": (
        "#7 [2/3] RUN pip install starlette==9.9\n#7 1.204 ERROR: Could not find a version that satisfies the "
        "requirement starlette==9.9 (from versions: 0.1, 0.2)\n"
        "#7 1.204 ERROR: No matching distribution found for starlette==9.9\n"
        '#7 ERROR: process "/bin/sh -c pip install starlette==9.9" did not complete successfully: exit code: 1\n'
        '------\nERROR: failed to solve: process "/bin/sh -c pip install starlette==9.9" did not complete '
        "successfully: exit code: 1",
        "ERROR: Could not find a version that satisfies the requirement starlette==9.9 (from versions: 0.1, 0.2)",
    ),
    "an engine that is refused an image": (
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
    ),
    "apt: dpkg": (
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. \n",
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
    ),
    "apt: an unknown key": (
        "Get:1 bookworm InRelease [151 kB]\nErr:2 nodistro InRelease\n"
        "  The following signatures couldn't be verified: NO_PUBKEY 2F59B5F99B1BE0B4\nReading package lists...\n"
        "W: GPG error: nodistro InRelease: The following signatures couldn't be verified: NO_PUBKEY 2F59B5F99B1BE0B4\n"
        "E: The repository 'nodistro InRelease' is not signed.\nN: Updating from such a repository can't be done",
        "E: The repository 'nodistro InRelease' is not signed.",
    ),
    "apt: a package's own script": (
        "Setting up docker.io ...\ninvoke-rc.d: initscript docker, action \"start\" failed.\n"
        "dpkg: error processing package docker.io (--configure):\n installed docker.io package post-installation "
        "script subprocess returned error exit status 1\nErrors were encountered while processing:\n docker.io\n"
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
        "dpkg: error processing package docker.io (--configure):",
    ),
    "pip: a hash": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n"
        "    click==8.1 from x:\n        Expected sha256 aa\n             Got        bb\n\n"
        "[notice] A new release of pip is available: 24.0 -> 25.1\n[notice] To update, run: pip install -U pip",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated",
    ),
    "pip: a build": (
        "  error: subprocess-exited-with-error\n  x Building wheel did not run successfully.\n  │ exit code: 1\n"
        "  ╰─> [3 lines of output]\n      fatal error: Python.h: No such file or directory\n"
        "  note: This error originates from a subprocess, and is likely not a problem with pip.\n",
        "fatal error: Python.h: No such file or directory",
    ),
    "Pulumi's diagnostics, in colours": (
        "\x1b[38;5;13m\x1b[1mDiagnostics:\x1b[0m\n  \x1b[38;5;12mdocker:index:Container (server-1):\x1b[0m\n"
        "    \x1b[38;5;9merror: \x1b[0m1 error occurred:\n"
        '    \t* Unable to create container: Error response from daemon: Conflict. The container name "/x" is '
        "already in use\n\n  pulumi:pulumi:Stack (vm-vs-container-deployment):\n    error: update failed\n\n"
        "Resources:\n    + 3 created\n\nDuration: 4s\n",
        'Unable to create container: Error response from daemon: Conflict. The container name "/x" is already in use',
    ),
    "Pulumi's marks of its event log": (
        "<{%fg 13%}>error: <{%reset%}><{%reset%}>could not read plugin [x] stdout: EOF<{%reset%}>",
        "error: could not read plugin [x] stdout: EOF",
    ),
    "Pulumi's program with a traceback": (
        "error: Program failed with an unhandled exception:\nTraceback (most recent call last):\n"
        '  File "/x/infra/main.py", line 3, in <module>\n    import pulumi\n'
        "ModuleNotFoundError: No module named 'pulumi'\n    error: update failed",
        "ModuleNotFoundError: No module named 'pulumi'",
    ),
    "Ansible's result": (
        'fatal: [vm-1]: FAILED! => {"changed": true, "cmd": ["systemctl", "start", "x"], "msg": "non-zero return '
        'code", "rc": 5, "stderr": "Failed to start x.service: Unit x.service not found.", "stdout": ""}\n\n'
        "PLAY RECAP *****\nvm-1 : ok=3 changed=1 unreachable=0 failed=1",
        "fatal: non-zero return code",
    ),
    "Ansible: the locale": (
        "ERROR: Ansible requires the locale encoding to be UTF-8; Detected None.\n",
        "ERROR: Ansible requires the locale encoding to be UTF-8; Detected None.",
    ),
    "Mitogen: its first stage is no message": (
        f"fatal: [vm-1]: UNREACHABLE! => EOF on stream; last 100 lines received:\n{MITOGEN}\n"
        "root@10.209.58.16: Permission denied (publickey).",
        "root@10.209.58.16: Permission denied (publickey).",
    ),
    "Mitogen: a child that does not start": (
        f"Child start failed: [Errno 2] No such file or directory: '/a'. Command was: {MITOGEN}",
        "Child start failed: [Errno 2] No such file or directory: '/a'. Command was: python3 -c '…",
    ),
    "ssh": (
        "Warning: Permanently added '10.0.0.2' (ED25519) to the list of known hosts.\n"
        "ssh: connect to host 10.0.0.2 port 22: Connection refused\r\n",
        "ssh: connect to host 10.0.0.2 port 22: Connection refused",
    ),
    "ssh: another machine": (
        "@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@\nIT IS POSSIBLE THAT "
        "SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.",
        "Host key verification failed.",
    ),
    "virsh": (
        "error: Failed to start domain 'vm-1'\nerror: internal error: process exited while connecting to monitor: "
        "2026-11-01T10:00:00.1Z qemu-system-x86_64: -accel kvm: failed to initialize kvm: Permission denied\n",
        "error: internal error: process exited while connecting to monitor: 2026-11-01T10:00:00.1Z "
        "qemu-system-x86_64: -accel kvm: failed to initialize kvm: Permission denied",
    ),
    "qemu": (
        "qemu-system-x86_64: warning: TCG doesn't support requested feature\n"
        "qemu-system-x86_64: -m 99G: cannot set up guest memory 'pc.ram': Cannot allocate memory",
        "qemu-system-x86_64: -m 99G: cannot set up guest memory 'pc.ram': Cannot allocate memory",
    ),
    "dockerd": (
        'time="2026-11-01T10:00:00Z" level=info msg="Loading containers: start."\n'
        "failed to start daemon: Error initializing network controller: iptables failed: iptables -t nat -I DOCKER: "
        "iptables: No chain/target/match by that name.\n (exit status 1)",
        "failed to start daemon: Error initializing network controller: iptables failed: iptables -t nat -I DOCKER: "
        "iptables: No chain/target/match by that name.",
    ),
    "dockerd's log line": (
        'time="2026-11-01T10:00:00Z" level=error msg="Handler for POST /build returned error: \\"x\\" broke"\n'
        'time="2026-11-01T10:00:01Z" level=info msg="Processing signal \'terminated\'"',
        'error: Handler for POST /build returned error: "x" broke',
    ),
    "a progress bar": ("   10%\r   50%\r   failed: disk\r\n", "failed: disk"),
    "nothing that looks like an error": ("one\ntwo\n\n", "two"),
    "nothing": ("\n\x1b[0m\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_the_telling_line(case: str) -> None:
    """Of real output."""
    said, told = SAID[case]
    assert telling.telling(said) == told


@pytest.mark.parametrize("case", SAID)
def test_nothing_of_a_terminal_or_a_script_comes_through(case: str) -> None:
    """No escape, one line, of bounded length."""
    told = telling.telling(SAID[case][0])
    assert "\x1b" not in told
    assert "\n" not in told
    assert "eNq" not in told
    assert "RUN" not in told
    assert len(told) <= telling.LONGEST


def test_a_long_line_keeps_both_ends() -> None:
    """What failed stands at its begin, why at its end."""
    told = telling.telling("error: begin " + "x y " * 200 + "end")
    assert told.startswith("error: begin x y")
    assert told.endswith("x y end")
    assert len(told) <= telling.LONGEST


COMMANDS = {
    "as it is": (["docker", "exec", "a b", "true"], "docker exec 'a b' true"),
    "a script of several lines": (["sh", "-c", "set -e\ncd /x\nmake"], "sh -c 'set -e …'"),
    "a long script": (["sh", "-c", "cd /somewhere && " * 8], "sh -c 'cd /somewhere && cd /somewhere …'"),
    "a long path is no script": (["ls", "/x" * 60], "ls " + "/x" * 60),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_command_is_told_without_its_script(case: str) -> None:
    """The rest stays pasteable."""
    words, told = COMMANDS[case]
    assert telling.command(words) == told
