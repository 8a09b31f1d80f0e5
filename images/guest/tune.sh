#!/bin/sh
# Leaves out of the boot what a guest with one disk, one adapter and no person waiting does not need.
# Nothing is deleted: `systemctl unmask NAME` or removing a link brings a part back.
set -eu

units=/etc/systemd/system
mask() { for name in "$@"; do ln -sfn /dev/null "$units/$name"; done; }

# No fstab, no partitions, no TPM, no resume from disk: nothing for these to generate.
mkdir -p /etc/systemd/system-generators
for generator in /usr/lib/systemd/system-generators/*; do
    ln -sfn /dev/null "/etc/systemd/system-generators/${generator##*/}"
done

# The initrd has set up the disk, the network and the machine's identity.
mask systemd-remount-fs.service systemd-fsck-root.service e2scrub_reap.service systemd-machine-id-commit.service \
    systemd-firstboot.service systemd-sysusers.service systemd-hibernate-clear.service remote-fs.target \
    systemd-sysext.socket systemd-creds.socket systemd-hostnamed.socket systemd-initctl.socket \
    systemd-pcrextend.socket systemd-pcrlock.socket

# Kept up to date when packages are installed, not at boot.
mask ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service

# Hardware that the guest does not have, kernel interfaces that the service does not use.
mask systemd-binfmt.service proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
    systemd-modules-load.service kmod-static-nodes.service systemd-tmpfiles-setup-dev-early.service \
    systemd-tmpfiles-setup-dev.service systemd-random-seed.service systemd-pstore.service \
    systemd-pcrmachine.service systemd-pcrphase.service systemd-pcrphase-sysinit.service \
    systemd-tpm2-setup.service systemd-tpm2-setup-early.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount

# Sessions are those of root, by ssh or on the console.
mask systemd-logind.service systemd-user-sessions.service systemd-ask-password-console.path \
    systemd-ask-password-wall.path getty.target systemd-update-utmp.service systemd-update-utmp-runlevel.service

# Each costs two programs at boot; /tmp and /run/lock are folders like others.
mask tmp.mount run-lock.mount

# The journal is in memory: a measurement must not share the disk with it.
mask systemd-journal-flush.service

# Work in the background would fall into somebody's measurement.
mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    systemd-tmpfiles-clean.timer

ln -sfn /usr/lib/systemd/system/multi-user.target "$units/default.target"
systemctl enable vvc-host-key.service vvc-console.service vvc-power-button.service ssh.service

# Each guest makes its own identity at its first boot.
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
: > /etc/machine-id
mkdir -p -m 700 /root/.ssh

# Debian compiles on installation; this fills what is left, so that a first start compiles nothing.
python3 -m compileall -q /usr/lib/python3.*/ /usr/lib/python3/dist-packages > /dev/null || true
