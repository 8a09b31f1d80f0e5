#!/bin/sh
# Ends once this server's libvirtd answers, and its socket is the owner's; whoever calls sets the bound. A libvirtd that
# is stuck is ended, and the entrypoint starts the next, which goes on with the VMs that run.
#
# Stuck is one that does not answer and whose main thread, which takes in what clients say, does not even wake when one
# comes. libvirt 11.3 locks itself up for good in about one of a hundred times that a client dies amid an upload
# (`./lab up` killed): it closes that client while it holds the lock that closing takes.
set -eu

patience_s=10

# How often the main thread has begun to wait, or had to.
turns() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/task/$1/status" 2> /dev/null; }

until
    pid=$(pgrep -o -x libvirtd || true)
    before=$(turns "$pid" || true)
    status=0
    timeout "$patience_s" virsh --quiet version > /dev/null 2>&1 || status=$?
    [ "$status" = 0 ] && [ "$(stat -c %u:%g /run/vvc/libvirt-sock)" = "${VVC_OWNER:-0:0}" ]
do
    if [ "$status" = 124 ] && [ -n "$before" ] && [ "$(turns "$pid" || true)" = "$before" ]; then
        : > /run/vvc-stuck
        kill -KILL "$pid"
    fi
    sleep 0.2
done
