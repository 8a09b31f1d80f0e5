"""Which processes of a server stand for a replica or for the daemons that all replicas of a side share.

Each script runs inside the server with the replica's handle as $1 and prints "role pid" lines. Roles: `replica` (QEMU;
the container's processes), `shim` and `proxy` (what the engine keeps for one container), `daemon` (shared).
"""

from __future__ import annotations

PROCESSES = {
    "vm": """
echo "replica $(cat "/run/libvirt/qemu/$1.pid")"
echo "daemon $(pgrep -x -o libvirtd)"
""",
    "container": """
id=$(docker inspect -f '{{.Id}}' "$1")
docker top "$1" -eo pid | sed 1d | while read -r pid; do echo "replica $pid"; done
echo "shim $(pgrep -f -o "containerd-shim.* -id $id")"
docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1" | while read -r ip; do
    pgrep -f "docker-proxy.* -container-ip $ip " | while read -r pid; do echo "proxy $pid"; done
done
echo "daemon $(pgrep -x -o dockerd)"
echo "daemon $(pgrep -x -o containerd)"
""",
}

DISK = {
    "vm": """
virsh domstats --block "$1" | sed -n 's/^ *block\\.0\\.physical=/overlay /p'
""",
    "container": """
echo "layer $(du -s -B1 "$(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$1")" | cut -f1)"
docker inspect -f '{{range .Mounts}}{{println .Source}}{{end}}' "$1" | while read -r folder; do
    [ -z "$folder" ] || echo "volume $(du -s -B1 "$folder" | cut -f1)"
done
""",
}
"""Prints what a replica has on disk of its own: "name bytes" lines, as allocated."""

GUEST_MEMORY = {"vm": ("cat", "/proc/meminfo")}
"""What a replica with a kernel of its own says of its memory; without one there is nothing of its own to ask."""
