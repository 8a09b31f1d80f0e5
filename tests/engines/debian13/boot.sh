# Runs the machine whose disk is in /out, in a container of the server image; ends by itself after WITHIN_S seconds.
# No KVM on purpose, neither beneath the machine nor in it: it runs everywhere, and what it shows is the same everywhere.
# Westmere: a plain CPU of x86-64-v2; newer ones have string instructions that are slow when they are emulated.
# restrict: the machine reaches nothing; it is reached by ssh alone.
exec timeout "$WITHIN_S" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi,tb-size=1024 -cpu Westmere -smp 2 \
  -m "$MEMORY_MIB" -nodefaults -display none -no-reboot -serial stdio -kernel /out/vmlinuz -initrd /out/initrd.img \
  -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off no_timer_check" \
  -drive file=/out/disk.raw,if=virtio,format=raw,cache=unsafe,discard=unmap -device virtio-rng-pci \
  -netdev user,id=lan,restrict=on,hostfwd=tcp::22-:22 -device virtio-net-pci,netdev=lan
