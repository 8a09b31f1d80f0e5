#!/bin/sh
# libvirt's hook for VMs (https://libvirt.org/hooks.html): leads ports of this server to a VM behind NAT while it runs.
# Which ones stands in the VM's description, which libvirt hands over within its definition, on standard input:
#   port 8102 to 10.9.8.17:8000
# libvirt's own rules let nothing begin a connection to such a VM, and Docker's policy may drop what no rule has let
# through: these come before both. They are made once, however often one asks.
set -eu

guest=$1 event=$2
mark="ports-of-$guest"

# The rest of the line, after the table and the command, is a rule; `lead` is to make it.
lead() {
    table=$1 chain=$2
    shift 2
    iptables -w 10 -t "$table" -C "$chain" "$@" 2> /dev/null || iptables -w 10 -t "$table" -I "$chain" "$@"
}

open_ports() {
    sed -n 's/.*port \([0-9]*\) to \([0-9.]*\):\([0-9]*\).*/\1 \2 \3/p' | while read -r port address inside; do
        lead nat PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport "$port" \
            -m comment --comment "$mark" -j DNAT --to-destination "$address:$inside"
        lead filter FORWARD -d "$address" -p tcp -m tcp --dport "$inside" \
            -m comment --comment "$mark" -j ACCEPT
    done
}

close_ports() {
    for place in "nat PREROUTING" "filter FORWARD"; do
        table=${place% *} chain=${place#* }
        iptables -w 10 -t "$table" -S "$chain" | sed -n "s/^-A \(.* --comment $mark .*\)/\1/p" | while read -r rule; do
            # shellcheck disable=SC2086 # a rule is words, none of which has a blank
            iptables -w 10 -t "$table" -D $rule
        done
    done
}

case $event in
    start | reconnect) open_ports ;;
    stopped) close_ports ;;
esac
