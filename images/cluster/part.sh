#!/bin/sh
# Succeeds when this server does its part in the cluster that playbooks/ made it a member of. One that has just started
# has to find the others first: it gets some time.
set -eu

formed() {
    if [ -e /etc/corosync/corosync.conf ]; then
        members=$(grep -c ring0_addr /etc/corosync/corosync.conf)
        online=$(crm_mon --one-shot --include=none,nodes 2>&1 | sed -n 's/.*Online: \[ \(.*\) \]/\1/p')
        [ "$(echo "$online" | wc -w)" = "$members" ] || return 1
        # One of them keeps what the cluster is to have.
        [ ! -e /etc/corosync/resources.xml ] ||
            [ -z "$(/usr/local/lib/vvc/configure --look crm_config constraints resources)" ]
    else
        [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ] || return 1
        [ "$(docker node inspect self --format '{{.Status.State}} {{.Spec.Availability}}')" = "ready active" ] || return 1
        # One that left and came again is two members, of which the former has a vote that is never cast.
        [ "$(docker node ls --format '{{.Hostname}}' | grep -cx "$(docker info --format '{{.Name}}')")" = 1 ]
    fi
}

tries=${1:-40}
until formed; do
    # What was never made a member does not become one by itself.
    [ -e /etc/corosync/corosync.conf ] || [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ] || exit 1
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || exit 1
    sleep 0.5
done
