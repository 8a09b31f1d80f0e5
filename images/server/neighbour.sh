#!/bin/sh
# Packs stress-ng for replicas, which are of the same Debian release: the program, and those of its libraries that not
# every Debian has, in one folder. Installed as a package it would bring a whole graphics stack, 200 MB, for one of its
# tests. Run in the bare base, where it is seen at once if a library is missing. $1: the archive to write.
set -eu

work=$(mktemp -d)
cd "$work"
apt-get download -q stress-ng libapparmor1 libbsd0 libdrm2 libegl1 libexpat1 libgbm1 libgles2 libglvnd0 libgmp10 \
    libipsec-mb2 libjpeg62-turbo libjudydebian1 libkmod2 libmd0 libmpfr6 libsctp1 libxxhash0
mkdir files vvc-neighbour
for package in *.deb; do dpkg-deb -x "$package" files; done
cp files/usr/bin/stress-ng vvc-neighbour/
files=$work/files/usr/lib/$(uname -m)-linux-gnu
LD_LIBRARY_PATH=$files ldd vvc-neighbour/stress-ng | grep -o "$files/[^ ]*" | xargs -I @ cp -L @ vvc-neighbour/
LD_LIBRARY_PATH=$work/vvc-neighbour vvc-neighbour/stress-ng --version
tar --owner=0 --group=0 -czf "$1" vvc-neighbour
cd /
rm -rf "$work"
