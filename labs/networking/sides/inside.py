"""Programs that run inside a replica, the same ones on both sides; python3 is there beside the service."""

LOOK = r"""
import array, fcntl, json, os, socket, struct

NET = "/sys/class/net/"
OFFLOADS = {"rx-checksumming": 0x14, "tx-checksumming": 0x16, "scatter-gather": 0x18,
            "tcp-segmentation": 0x1e, "generic-segmentation": 0x23, "generic-receive": 0x2b}
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def read(path):
    try:
        return open(path).read().strip()
    except OSError:
        return ""

def ethtool(name, request):
    buffer = array.array("B", request)
    try:
        fcntl.ioctl(asking, 0x8946, struct.pack("16sP", name.encode(), buffer.buffer_info()[0]))
    except OSError:
        return None
    return buffer.tobytes()

def driver(name):
    told = ethtool(name, struct.pack("=I192x", 3))
    return told[4:36].split(b"\0")[0].decode() if told else ""

def offload(name, number):
    told = ethtool(name, struct.pack("=II", number, 0))
    return struct.unpack("=II", told)[1] == 1 if told else None

def driven(folder):
    link = folder + "/driver"
    return os.path.basename(os.readlink(link)) if os.path.islink(link) else ""

def device(name):
    folder = os.path.realpath(NET + name + "/device")
    if not os.path.isdir(folder):
        return None
    found = {"driver": driven(folder), "pci": "", "pci_id": "", "pci_driver": ""}
    while folder.startswith("/sys/devices/"):
        if os.path.basename(os.path.realpath(folder + "/subsystem")) == "pci":
            found["pci"] = os.path.basename(folder)
            found["pci_id"] = ":".join(read(folder + "/" + part)[2:] for part in ("vendor", "device"))
            found["pci_driver"] = driven(folder)
            break
        folder = os.path.dirname(folder)
    return found

def interface(name):
    queues = os.listdir(NET + name + "/queues")
    return {
        "name": name, "mac": read(NET + name + "/address"), "index": int(read(NET + name + "/ifindex")),
        "peer": int(read(NET + name + "/iflink")), "driver": driver(name), "device": device(name),
        "rx_queues": sum(one.startswith("rx") for one in queues),
        "tx_queues": sum(one.startswith("tx") for one in queues),
        "offloads": {word: offload(name, number) for word, number in OFFLOADS.items()},
    }

print(json.dumps({
    "boot_id": read("/proc/sys/kernel/random/boot_id"), "namespace": os.readlink("/proc/self/ns/net"),
    "interfaces": [interface(name) for name in sorted(os.listdir(NET)) if name != "lo"],
}))
"""
"""Prints, as JSON, every interface but the loopback one as this kernel has it (sysfs; ethtool's ioctl, ethtool(8))."""

WATCH = r"""
import fcntl, os, select, socket, struct, sys

NET = "/sys/class/net/"
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
link.bind((0, 1))
known = {index for index, _ in socket.if_nameindex()}
print("watching", flush=True)
while True:
    ready, _, _ = select.select([link, sys.stdin], [], [])
    if sys.stdin in ready:
        break
    data = link.recv(65536)
    while len(data) >= 32:
        size, kind = struct.unpack_from("=IH", data)
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", data, 16)
        data = data[size + 3 & ~3:]
        if kind != 16 or index in known:
            continue
        try:
            name = socket.if_indextoname(index)
            if flags & 0x41 == 0x41:
                print(name, open(NET + name + "/address").read().strip(), flush=True)
                known.add(index)
            elif not flags & 1:
                fcntl.ioctl(asking, 0x8914, struct.pack("16sH14x", name.encode(), flags & 0xffff | 1))
        except OSError:
            pass
"""
"""Prints "NAME MAC" of each new interface as soon as it is up and has its link; sets it up where it may and nobody
else does. It sleeps until the kernel tells it (rtnetlink(7)), and ends with its input."""
