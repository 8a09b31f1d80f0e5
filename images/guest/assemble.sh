#!/bin/sh
# Makes the guest's disk image, kernel and initrd. Runs as root in a container of the server image:
#   in:  /in/rootfs.tar (`docker export` of the guest image), /recipe (this folder)
#   out: /out/disk.qcow2, /out/vmlinuz (unpacked: an ELF file with a PVH entry), /out/initrd.img
# No loop device, no mount. SIZE: the disk's virtual size, default 2G.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"
# .dockerenv would make programs in the guest believe that they are in a container.
tar -x -f /in/rootfs.tar -C "$root" --numeric-owner --exclude=./.dockerenv --exclude=.dockerenv
rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/hosts"
echo "# No name server: the lab's network has none." > "$root/etc/resolv.conf"
echo guest > "$root/etc/hostname"

mv "$root/boot/vmlinux" "$work/vmlinuz"

# The initrd is not packed: unpacking costs the guest more than reading costs the host.
initrd=$work/initrd
kernel=$(basename "$root"/usr/lib/modules/*)
modules=$initrd/lib/modules/$kernel
mkdir -p "$initrd/bin" "$initrd/dev" "$initrd/proc" "$initrd/sysroot" "$modules"
cp "$root/usr/bin/busybox" "$initrd/bin/busybox"
for applet in sh mount modprobe ip sleep base64 chmod switch_root; do ln -s busybox "$initrd/bin/$applet"; done
install -m 755 /recipe/init "$initrd/init"
# Each with the modules that it needs itself: failover and net_failover are virtio_net's, x_tables is ip_tables'.
for module in virtio_blk failover net_failover virtio_net virtio-rng autofs4 x_tables ip_tables nfnetlink qemu_fw_cfg; do
    packed=$(find "$root/usr/lib/modules/$kernel" -name "$module.ko.xz")
    xz -dc "$packed" > "$modules/$module.ko"
done
"$initrd/bin/busybox" depmod -b "$initrd" "$kernel"
(cd "$initrd" && find . | sort | cpio -o -H newc --quiet -R 0:0) > "$work/initrd.img"

# No metadata checksums: the emulated CPU computes them slowly. A small journal keeps the image small.
truncate -s "${SIZE:-2G}" "$work/disk.raw"
mke2fs -q -F -t ext4 -L root -O ^metadata_csum -J size=16 -m 1 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard \
    -d "$root" "$work/disk.raw"
qemu-img convert -O qcow2 "$work/disk.raw" "$work/disk.qcow2"

for file in disk.qcow2 vmlinuz initrd.img; do
    cp "$work/$file" "/out/.$file.part"
    mv "/out/.$file.part" "/out/$file"
done
