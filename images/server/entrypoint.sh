#!/bin/sh
# Runs a server: libvirtd and dockerd behind two Unix sockets in /run/vvc, VMs on the bridge br0.
# Ends when told (SIGTERM), or with status 1 when one of the two daemons ends by itself.
#
#   VVC_OWNER      uid:gid that may use the sockets; default 0:0
#   VVC_HOST_UUID  libvirt's name for this server; servers that exchange VMs need different ones; default: random
#   VVC_SERVER     name of the server, for people only
#   VVC_MGMT       its address on the network where servers alone speak to one another; default: there is none
#   VVC_REGISTRY   registry whose images its engine takes without TLS, as host:port; default: none
set -eu

sockets=/run/vvc
owner=${VVC_OWNER:-0:0}
shutdown_s=5
daemon_s=600
processes=4096

say() { echo "server: $*" >&2; }

# A container keeps its files over a restart, but what is in /run speaks of processes that are gone: stale pid files
# stop the daemons, and libvirt's mark "autostarted" would leave the VMs off.
clear_run() {
    find /run -mindepth 1 -maxdepth 1 ! -path "$sockets" -exec rm -rf {} +
    rm -f "$sockets"/*sock*
    mkdir -p /run/lock "$sockets"
    chown "$owner" "$sockets"
    chmod 700 "$sockets"
}

# libvirtd looks up who is at the other end of its socket, and refuses a user whom it cannot name.
know_owner() {
    uid=${owner%:*} gid=${owner#*:}
    grep -q "^[^:]*:[^:]*:$gid:" /etc/group || echo "laptop:x:$gid:" >> /etc/group
    grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd || echo "laptop:x:$uid:$gid::/nonexistent:/usr/sbin/nologin" >> /etc/passwd
}

# What libvirt knows (domains, pools) lies with the disks that it is about, on the volume: a server that is made anew
# over its old volumes has its VMs back, as it has its containers.
keep_definitions() {
    for part in qemu storage; do
        mkdir -p "/var/lib/libvirt/definitions/$part"
        rm -rf "/etc/libvirt/$part"
        ln -s "/var/lib/libvirt/definitions/$part" "/etc/libvirt/$part"
    done
    # The package's folder is not on the volume, and libvirt notes in it the adapters of its networks.
    mkdir -p /var/lib/libvirt/dnsmasq
}

# A group with processes can't hand controllers on to groups below it, and the engine puts a health check into it at any
# moment: what is there moves, until all controllers are handed on.
hand_on_controllers() {
    while read -r pid; do
        echo "$pid" > /sys/fs/cgroup/init/cgroup.procs || true
    done < /sys/fs/cgroup/cgroup.procs
    read -r available < /sys/fs/cgroup/cgroup.controllers
    lacking=
    for controller in $available; do
        echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || lacking="$lacking $controller"
    done
    [ -z "$lacking" ]
}

# Where containers that this server's engine starts belong: below the server's own control group, so that they count
# as the server's and go with it.
prepare_cgroups() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        # cgroup v2, in a namespace of our own.
        mount -o remount,rw /sys/fs/cgroup
        mkdir -p /sys/fs/cgroup/init
        within 5 hand_on_controllers || say "no control group for$lacking"
        cgroup_parent=/containers
    else
        # cgroup v1, the host's tree.
        own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
        cgroup_parent=${own%/}/containers
    fi
}

# A container that forks without end meets this limit, and not the laptop's: it holds for all containers together, and
# not for the daemons, which would end where they can't have one more thread.
limit_processes() {
    group=/sys/fs/cgroup/pids
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || group=/sys/fs/cgroup
    if [ -e "$group/cgroup.procs" ] && mkdir -p "$group$cgroup_parent"; then
        echo "$processes" > "$group$cgroup_parent/pids.max" && return
    fi
    say "nothing limits how many processes the containers have"
}

# The laptop's engine numbers the ports of a container with two networks as it likes.
find_ports() {
    mgmt=
    [ -z "${VVC_MGMT:-}" ] || mgmt=$(ip -4 -o address show to "$VVC_MGMT" | awk '{ print $2; exit }')
    lan=$(ip -4 -o address show scope global | awk -v mgmt="$mgmt" '$2 != mgmt { print $2; exit }')
}

# VMs must reach the LAN with addresses of their own: the LAN port becomes a port of a bridge, and the bridge takes
# over its MAC (the laptop knows it), its address and its routes.
make_bridge() {
    mac=$(cat "/sys/class/net/$lan/address")
    address=$(ip -4 -o address show dev "$lan" scope global | awk '{ print $4; exit }')
    gateway=$(ip -4 route show default dev "$lan" | awk '{ print $3; exit }')
    # No forwarding delay: a VM's port must carry frames at once.
    ip link add br0 address "$mac" type bridge forward_delay 0 stp_state 0
    ip address flush dev "$lan"
    ip link set "$lan" master br0
    ip link set br0 up
    ip address add "$address" brd + dev br0
    [ -z "$gateway" ] || ip route add default via "$gateway"
    # As on a machine that is new: where forwarding is off, dockerd turns it on and sets the policy of FORWARD to DROP. It
    # is on here already on some laptops, whose namespaces begin with what the laptop has.
    echo 0 > /proc/sys/net/ipv4/ip_forward
    # With that dockerd lets nothing be forwarded that is not its own, bridged frames included, but keeps this chain.
    iptables -w 10 -N DOCKER-USER
    iptables -w 10 -A DOCKER-USER -i br0 -o br0 -j ACCEPT
    # Neither guests nor containers see what servers have among themselves.
    for way in ${mgmt:+-i -o}; do iptables -w 10 -A DOCKER-USER "$way" "$mgmt" -j DROP; done
}

# Starts a daemon; when it ends, the main process hears of it.
start() {
    name=$1
    shift
    (
        status=0
        "$@" || status=$?
        say "$name ended with status $status"
        kill -USR1 $$
    ) &
}

# On a busy machine an engine ends before it answers: it gives its own containerd 15 s. The next one finds
# in memory what that one had to read.
engine() {
    tries=3
    until dockerd --pidfile /run/docker.pid --cgroup-parent "$cgroup_parent" \
        ${VVC_REGISTRY:+--insecure-registry "$VVC_REGISTRY"}; do
        status=$?
        tries=$((tries - 1))
        { [ ! -e /run/vvc-up ] && [ "$tries" -gt 0 ]; } || return "$status"
        say "dockerd ended with status $status before it answered: it is started again"
    done
}

# One that was stuck and was ended for it (see answering.sh) is followed by the next.
libvirt() {
    status=0
    libvirtd --config /run/libvirtd.conf || status=$?
    [ -e /run/vvc-stuck ] || return "$status"
    rm /run/vvc-stuck
    say "libvirtd was stuck: it is started again"
    { within "$daemon_s" virsh --quiet version && hand_out; } &
    libvirt
}

# The sockets are the owner's alone.
hand_out() {
    chmod 700 "$sockets"/*sock
    chown "$owner" "$sockets"/*sock
}

# Hundredths of a second since the machine's start.
now() {
    read -r uptime _ < /proc/uptime
    echo "${uptime%.*}${uptime#*.}"
}

# Waits at most $1 seconds for the rest of the line to succeed.
within() {
    deadline=$(($(now) + $1 * 100))
    shift
    until "$@" > /dev/null 2>&1; do
        [ "$(now)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

running_domains() { timeout "$shutdown_s" virsh --quiet list --name | sed '/^$/d'; }
no_domains() { [ -z "$(running_domains)" ]; }
gone() { ! kill -0 "$1"; }

stop_domains() {
    running_domains | while read -r domain; do virsh --quiet shutdown "$domain" > /dev/null & done
    within "$shutdown_s" no_domains && return
    running_domains | while read -r domain; do
        say "$domain did not shut down within $shutdown_s s: it is cut off"
        virsh --quiet destroy "$domain" > /dev/null
    done
}

# What is still there after the bound dies with this container, which a server must survive anyway.
stop() {
    trap '' TERM INT USR1
    say stopping
    # A cluster whose member goes takes what that ran for dead, and starts it elsewhere: as when its power is cut.
    pkill -KILL -x pacemakerd || true
    pkill -KILL -x corosync || true
    docker_pid=$(cat /run/docker.pid 2> /dev/null || true)
    [ -z "$docker_pid" ] || kill "$docker_pid" 2> /dev/null || true
    stop_domains || true
    pkill -x libvirtd || true
    [ -z "$docker_pid" ] || within 3 gone "$docker_pid" || say "the engine did not stop in time"
    exit "$1"
}

trap 'stop 0' TERM INT
trap 'stop 1' USR1

clear_run
know_owner
keep_definitions
prepare_cgroups
limit_processes
find_ports
make_bridge
{
    cat /etc/libvirt/libvirtd.conf
    [ -z "${VVC_HOST_UUID:-}" ] || echo "host_uuid = \"$VVC_HOST_UUID\""
} > /run/libvirtd.conf

start libvirtd libvirt
start dockerd engine

# Who waits for this server has a bound of its own; this one is there lest it never ends.
within "$daemon_s" virsh --quiet version || { say "libvirtd does not answer"; stop 1; }
within "$daemon_s" docker version || { say "dockerd does not answer"; stop 1; }
ln -sf libvirt-sock "$sockets/libvirt.sock"
hand_out
# Of a cluster's server (images/cluster).
[ ! -x /usr/local/lib/vvc/member ] || /usr/local/lib/vvc/member || say "the cluster does not start here"
: > /run/vvc-up
say ready

while :; do
    sleep infinity &
    wait $! || true
done
