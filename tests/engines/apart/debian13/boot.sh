# Runs the machine whose disk is in /out, in a container of the server image; ends by itself after WITHIN_S seconds.
# Emulated on purpose: it runs everywhere, and what it shows is the same everywhere. Its CPU is an AMD one with
# virtualisation (svm, npt), which QEMU can emulate: the machine has a KVM of its own. To emulate a VM in it once more
# takes several times as long. Opteron: newer ones have string and vector instructions that are slow when they are emulated.
# nohz, highres: a timer of an emulated CPU that is lost while the laptop is busy would be its last; ticks come again.
# restrict: the machine reaches nothing; it is reached by ssh alone.
exec timeout "$WITHIN_S" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi,tb-size=1024 -smp 2 \
  -cpu Opteron_G3,-misalignsse,+ssse3,+sse4.1,+sse4.2,+npt \
  -m "$MEMORY_MIB" -nodefaults -display none -no-reboot -serial stdio -kernel /out/vmlinuz -initrd /out/initrd.img \
  -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off no_timer_check nohz=off highres=off" \
  -drive file=/out/disk.raw,if=virtio,format=raw,cache=unsafe,discard=unmap -device virtio-rng-pci \
  -netdev user,id=lan,restrict=on,hostfwd=tcp::22-:22 -device virtio-net-pci,netdev=lan
