#!/bin/sh
# Unpacks the kernel: QEMU starts an ELF kernel through its PVH entry, which spares a guest on an emulated CPU
# the unpacking at every boot (and the firmware's work before it).
set -eu

packed=$(ls /boot/vmlinuz-*)
field() { od -An "-t$1" "-j$2" "-N$3" "$packed" | tr -d ' '; }

# Fields of the Linux/x86 boot protocol: setup_sects (0x1f1), payload_offset (0x248), payload_length (0x24c).
# The payload ends with its unpacked size, 4 bytes that are not zstd's.
start=$(( ($(field u1 497 1) + 1) * 512 + $(field u4 584 4) ))
length=$(( $(field u4 588 4) - 4 ))
tail -c "+$((start + 1))" "$packed" | head -c "$length" | zstd -dcq > /boot/vmlinux

magic=$(od -An -tx4 -N4 /boot/vmlinux | tr -d ' ')
[ "$magic" = 464c457f ] || { echo "kernel.sh: what came out of $packed is no ELF file" >&2; exit 1; }
