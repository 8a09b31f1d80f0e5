"""How each side is asked to run another kernel: the same files (a small user space with that kernel) on both.

The script runs inside the server with the working folder as $1 (vmlinuz, tree/), the lab's labels, space-separated, as
$2 and `definition` as $3. What the probe in those files says of its kernel comes out on standard output.
"""

from __future__ import annotations

from infra.domain import Domain, domain_xml

NAME = "vvc-another-kernel"
"""Of the domain, the container and the container image."""

PROBE_WORD = "vvc-kernel"
BOOT_WITHIN_S = 60

TREE = """
set -eu
work=$1
initrd=$(ls /var/lib/libvirt/images/lab/initrd-* | head -n 1)
rm -rf "$work/tree"
mkdir -p "$work/tree"
cd "$work/tree"
cpio -i --quiet < "$initrd"
mkdir -p boot proc
cat > probe << 'END'
#!/bin/sh
/bin/busybox mount -t proc proc /proc 2> /dev/null
read -r release < /proc/sys/kernel/osrelease
read -r boot < /proc/sys/kernel/random/boot_id
echo "vvc-kernel $release $boot"
/bin/busybox poweroff -f 2> /dev/null
END
chmod 755 probe
find . | sort | cpio -o -H newc --quiet -R 0:0 > "$work/initrd.img"
cp "$work/vmlinuz" boot/vmlinuz
"""

RUN = {
    "vm": """
set -eu
cd "$1"
printf %s "$3" > domain.xml
: > console
virsh --quiet create domain.xml > /dev/null
left=600
while virsh --quiet domstate vvc-another-kernel > /dev/null 2>&1 && [ "$left" -gt 0 ]; do
    grep -q vvc-kernel console && break
    left=$((left - 1))
    sleep 0.1
done
cat console
""",
    "container": """
set -eu
labels=
for label in $2; do labels="$labels --label $label"; done
tar -C "$1/tree" -c . | docker import --change "LABEL $2" - vvc-another-kernel:once > /dev/null
docker run --rm --name vvc-another-kernel --network none $labels vvc-another-kernel:once /probe || true
""",
}


def definition(work: str, accelerator: str, labels: str) -> str:
    """The VM that runs it, as libvirt takes it. Pure."""
    return domain_xml(
        Domain(
            name=NAME,
            accelerator=accelerator,
            vcpus=1,
            memory_mib=256,
            kernel=f"{work}/vmlinuz",
            initrd=f"{work}/initrd.img",
            cmdline="console=ttyS0 quiet panic=-1 rdinit=/probe",
            title=labels,
            console=f"{work}/console",
            once=True,
        )
    )


REMOVE = """
virsh destroy vvc-another-kernel > /dev/null 2>&1
docker rm -f vvc-another-kernel > /dev/null 2>&1
[ -z "$(docker images -q vvc-another-kernel:once)" ] || docker rmi vvc-another-kernel:once > /dev/null
rm -rf "$1"
"""
