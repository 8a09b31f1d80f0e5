#!/bin/sh
# Puts right in this server what an experiment has left that was cut off: what it made is found by its name, vvc-…, and
# removed; what it took away is made again. Says in a line each what was not as it must be; with --look it changes
# nothing. What stands in a guest's own kernel goes by itself (labs/networking/sides/own_filter.py).
set -eu

look=${1:-}
timeout 60 /usr/local/lib/vvc/answering || { echo "libvirtd does not answer" >&2; exit 1; }

# found TEXT COMMAND…: something is not as it must be, and what mends it.
found() {
    echo "$1"
    shift
    [ -n "$look" ] || "$@" > /dev/null < /dev/null
}

# Rules with a comment of ours; the rest of the line enters another network namespace.
tried_rules() {
    where=$1
    shift
    undo=$("$@" iptables-save | sed -n -e '/^[*C]/p' -e '/--comment "\{0,1\}vvc-/s/^-A /-D /p')
    printf '%s\n' "$undo" | awk -v where="$where" '
        /^\*/ { table = substr($1, 2) }
        /^-D/ { match($0, /vvc-[^" ]*/); count["rules " substr($0, RSTART, RLENGTH) " in " table " " $2]++ }
        END { for (rules in count) print "in " where " " rules ", " count[rules] " of them" }'
    case $undo in *-D*) [ -n "$look" ] || printf '%s\n' "$undo" | "$@" iptables-restore -w 10 --noflush ;; esac
}

plugged_adapters() {
    virsh --quiet list --name | sed '/^$/d' | while read -r domain; do
        virsh --quiet domiflist "$domain" | awk '$3 ~ /^vvc-/ { print $5 }' | while read -r mac; do
            found "in $domain the adapter $mac" virsh --quiet detach-interface "$domain" network --mac "$mac"
        done
    done
}

made() {
    docker ps -a --filter name=^vvc- --format '{{.Names}}' | while read -r name; do
        found "the container $name" docker rm -f -v "$name"
    done
    docker network ls --filter name=^vvc- --format '{{.Name}}' | while read -r name; do
        docker network inspect -f '{{range .Containers}}{{println .Name}}{{end}}' "$name" | sed '/^$/d' |
            while read -r container; do
                found "in $container the network $name" docker network disconnect -f "$name" "$container"
            done
        found "the engine's network $name" docker network rm "$name"
    done
    virsh --quiet net-list --all --name | grep '^vvc-' | while read -r name; do
        found "libvirt's network $name" virsh --quiet net-destroy "$name"
    done
    ip netns list | awk '/^vvc-/ { print $1 }' | while read -r name; do
        found "the network namespace $name" remove_namespace "$name"
    done
}

remove_namespace() {
    ip netns pids "$1" | xargs -r kill
    ip netns delete "$1"
}

taken_away() {
    iptables -w 10 -C DOCKER-USER -i br0 -o br0 -j ACCEPT 2> /dev/null ||
        found "no rule in DOCKER-USER lets bridged VMs through" let_through
    # As an engine sets it that turns forwarding on: see the entrypoint.
    iptables -w 10 -S FORWARD | grep -q '^-P FORWARD DROP' ||
        found "the policy of FORWARD is not the engine's" iptables -w 10 -P FORWARD DROP
    call=/proc/sys/net/bridge/bridge-nf-call-iptables
    [ ! -e "$call" ] || [ "$(cat "$call")" = 1 ] ||
        found "bridge-nf-call-iptables is off" sh -c 'echo 1 > "$1"' sh "$call"
}

# A queue of ours, 7663:, delays what leaves a port; a tap is where it was tried whether the kernel can.
delayed_ports() {
    if ip link show vvc-netem > /dev/null 2>&1; then found "the tap vvc-netem" ip link delete vvc-netem; fi
    tc qdisc show | awk '$2 == "netem" && $3 == "7663:" { print $5 }' | while read -r port; do
        found "a delay on $port" tc qdisc delete dev "$port" root
    done
}

# Ports of this server lead to VMs behind NAT: libvirt's hook makes these rules, and makes again those that are missing.
led_ports() {
    hook=/etc/libvirt/hooks/qemu
    [ -x "$hook" ] || return 0
    virsh --quiet list --name | sed '/^$/d' | while read -r domain; do
        definition=$(virsh --quiet dumpxml "$domain")
        case $definition in *"port "*" to "*) ;; *) continue ;; esac
        iptables -w 10 -S FORWARD | grep -q -e "--comment ports-of-$domain " ||
            found "no rule in FORWARD lets through what is for $domain" lead "$hook" "$domain" "$definition"
    done
}

lead() { echo "$3" | "$1" "$2" reconnect begin -; }

# What an experiment wrote down before it did it: scripts that undo it, whose first line says what it is.
written_down() {
    for note in /var/tmp/vvc-undo-*; do
        [ ! -e "$note" ] || found "$(sed -n '1s/^# //p' "$note")" sh "$note"
    done
}

let_through() { iptables -w 10 -I DOCKER-USER -i br0 -o br0 -j ACCEPT; }

tried_rules "the server"
own=$(readlink /proc/self/ns/net)
docker ps -q | xargs -r docker inspect -f '{{.State.Pid}} {{.Name}}' | while read -r pid name; do
    [ "$(readlink "/proc/$pid/ns/net")" = "$own" ] || tried_rules "${name#/}" nsenter -t "$pid" -n
done
written_down
plugged_adapters
made
taken_away
led_ports
delayed_ports
