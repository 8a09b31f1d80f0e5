#!/usr/bin/python3
"""A fencing agent: asks the lab's power service, on a Unix socket, to switch a server off.

As https://github.com/ClusterLabs/fence-agents/blob/main/doc/FenceAgentAPI.md has it: options "key=value" on standard
input; status 0 = done, or on; 2 = off; 1 = it failed.
"""

import socket
import sys

SOCKET = "/srv/power/socket"
WITHIN_S = 15
OFF = 2
VERBS = {"off": ("off",), "on": ("on",), "reboot": ("off", "on"), "status": ("status",), "monitor": ("list",)}
METADATA = """<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Fence agent for local servers">
  <longdesc>Switches a server of the lab off and on, by the lab's power service.</longdesc>
  <parameters>
    <parameter name="action" unique="0" required="1">
      <getopt mixed="-o, --action=[action]"/>
      <content type="string" default="off"/>
      <shortdesc lang="en">Fencing action</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="1" obsoletes="port">
      <getopt mixed="-n, --plug=[id]"/>
      <content type="string"/>
      <shortdesc lang="en">Name of the server</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on" automatic="0"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="list"/>
    <action name="monitor"/>
    <action name="metadata"/>
    <action name="validate-all"/>
  </actions>
</resource-agent>"""


def ask(request):
    """What the power service answers. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as power:
        power.settimeout(WITHIN_S)
        power.connect(SOCKET)
        power.sendall(f"{request}\n".encode())
        return power.makefile(encoding="utf-8").readline().strip()


def main(lines):
    """Do what the options say; the exit status."""
    options = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    action = options.get("action", "off")
    plug = options.get("plug") or options.get("port", "")
    if action == "metadata":
        print(METADATA)
        return 0
    if action == "validate-all":
        return 0
    try:
        if action == "list":
            print("\n".join(f"{name},{name}" for name in ask("list").split()))
            return 0
        for verb in VERBS[action]:
            told = ask(f"{verb} {plug}".strip())
            if told.startswith("error") or not told:
                print(f"{action} {plug}: {told or 'no answer'}", file=sys.stderr)
                return 1
    except (OSError, KeyError) as error:
        print(f"{action} {plug}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return OFF if (action, told) == ("status", "off") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sys.stdin))
