#!/bin/sh
# QEMU as libvirt starts it for a guest, with two things that libvirt's Pulumi provider cannot say: the console goes
# into a log as well (for when a guest does not come up), and QEMU's translation cache without KVM is bounded
# (it would grow to 1 GiB of the server's memory).
set -eu

qemu=/usr/bin/qemu-system-x86_64
translation_cache_mib=256

guest=
for word in "$@"; do
    case $word in
        guest=*) guest=${word#guest=} guest=${guest%%,*} ;;
    esac
done
# Without a guest it is libvirt asking what this QEMU can do.
[ -n "$guest" ] || exec "$qemu" "$@"

left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
        pty,id=charserial0) word="$word,logfile=/var/log/vvc/$guest.console" ;;
        tcg) word="tcg,tb-size=$translation_cache_mib" ;;
    esac
    set -- "$@" "$word"
done
exec "$qemu" "$@"
