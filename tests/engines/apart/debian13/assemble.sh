#!/bin/sh
# Makes the machine's disk, kernel and initrd. Runs as root in a container of the server image:
#   in:  /in/rootfs.tar (`docker export` of the machine's container image), /in/authorized_keys,
#        /in/checkout (with its .venv), /in/images (those of servers), /cache (the laptop's cache)
#   out: /out/disk.raw (sparse; SIZE: the disk's size), /out/vmlinuz, /out/initrd.img
set -eu

root=$(mktemp -d -p /out)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
# .dockerenv would make programs believe that they are in a container.
tar -x -f /in/rootfs.tar -C "$root" --numeric-owner --exclude=./.dockerenv --exclude=.dockerenv
rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/hosts"
echo debian13 > "$root/etc/hostname"
printf '127.0.0.1 localhost debian13\n' > "$root/etc/hosts"
mv "$root"/boot/vmlinuz-* /out/vmlinuz
mv "$root"/boot/initrd.img-* /out/initrd.img
# This is no first boot after an update: nothing of systemd's is to be made anew.
touch "$root/etc/.updated" "$root/var/.updated"

home=$root/home/user
mkdir -p "$home/.ssh" "$home/.cache/vm-vs-container/images"
cp /in/authorized_keys "$home/.ssh/authorized_keys"
chmod -R go= "$home/.ssh"
cp -a /in/checkout "$home/vm-vs-container"
cp -a /in/images "$home/"
# Logs come and go while other commands of the laptop run.
tar -c -C /cache --exclude=toolchain/*/logs/* toolchain | tar -x -C "$home/.cache/vm-vs-container"
for part in "$@"; do cp -a "/cache/images/$part" "$home/.cache/vm-vs-container/images/"; done
chown -R 1000:1000 "$home"

truncate -s "$SIZE" /out/disk.raw
mke2fs -q -F -t ext4 -L root -O ^metadata_csum -m 1 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard \
    -d "$root" /out/disk.raw
