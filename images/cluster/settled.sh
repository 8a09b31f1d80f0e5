#!/bin/sh
# Waits, for some time, until this server's cluster has done with members that have ended, whose names are given: one that
# comes back before it was fenced would be fenced then. Without a majority nobody is fenced before one of them is back, and
# then the others would be; nor is it while the power service does not do its part. Then the cluster is told that they are
# off, which whoever calls this has seen.
set -eu

pgrep -x pacemakerd > /dev/null || exit 0
quorate() { corosync-quorumtool -s 2> /dev/null | grep -q 'Quorate: *Yes'; }

tries=60
while [ "$tries" -gt 0 ]; do
    nodes=$(crm_mon --one-shot --include=none,nodes 2>&1 || true)
    online=$(echo "$nodes" | sed -n 's/.*Online: \[ \(.*\) \]/ \1 /p')
    busy=
    for name in "$@"; do
        case $online in *" $name "*) busy=1 ;; esac
    done
    case $nodes in *UNCLEAN*) ! quorate || busy=1 ;; esac
    [ -n "$busy" ] || break
    tries=$((tries - 1))
    sleep 0.5
done
if [ -n "$busy" ] || ! quorate; then
    for name in "$@"; do
        ! grep -qx " *name: $name" /etc/corosync/corosync.conf || stonith_admin --confirm "$name"
    done
fi
