#!/bin/sh
# Waits, for some time, until this server's cluster has done with members that have ended, whose names are given: one that
# comes back before it was fenced would be fenced then. Without a majority nobody is, and nothing is waited for.
set -eu

pgrep -x pacemakerd > /dev/null || exit 0
tries=60
while corosync-quorumtool -s 2> /dev/null | grep -q 'Quorate: *Yes' && [ "$tries" -gt 0 ]; do
    nodes=$(crm_mon --one-shot --include=none,nodes 2>&1 || true)
    online=$(echo "$nodes" | sed -n 's/.*Online: \[ \(.*\) \]/ \1 /p')
    busy=
    for name in "$@"; do
        case $online in *" $name "*) busy=1 ;; esac
    done
    case $nodes in *UNCLEAN*) busy=1 ;; esac
    [ -n "$busy" ] || break
    tries=$((tries - 1))
    sleep 0.5
done
