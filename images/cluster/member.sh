#!/bin/sh
# Starts this server's part in a Pacemaker cluster, where it has been given one (playbooks/roles/pacemaker), unless it
# runs. Says "started" if it was started now. Both daemons write to /var/log/vvc and live until the server ends.
set -eu

[ -e /etc/corosync/corosync.conf ] || exit 0

start() {
    log=/var/log/vvc/$1.log
    shift
    setsid "$@" >> "$log" 2>&1 < /dev/null &
}

if ! pgrep -x corosync > /dev/null; then
    # What is there speaks of a cluster of which this server is no member any more.
    rm -f /dev/shm/qb-*
    start corosync corosync -f
    echo started
fi
tries=200
until corosync-cfgtool -s > /dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "corosync does not answer within 10 s: $(tail -n 3 /var/log/vvc/corosync.log)" >&2; exit 1; }
    sleep 0.05
done
if ! pgrep -x pacemakerd > /dev/null; then
    start pacemaker pacemakerd
    echo started
fi
