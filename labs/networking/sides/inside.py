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
import fcntl, select, socket, struct, sys, time

NET = "/sys/class/net/"
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
told.bind((0, 1))
known = {index for index, _ in socket.if_nameindex()}
new = set()

def read(name, what):
    with open(NET + name + "/" + what) as file:
        return file.read().strip()

def usable(index):
    try:
        name = socket.if_indextoname(index)
        flags = int(read(name, "flags"), 16)
        if not flags & 1:
            fcntl.ioctl(asking, 0x8914, struct.pack("16sH14x", name.encode(), flags & 0xffff | 1))
        if read(name, "carrier") != "1":
            return False
        print(time.clock_gettime(time.CLOCK_BOOTTIME), name, read(name, "address"), flush=True)
        return True
    except OSError:
        return False

print("watching", flush=True)
while True:
    ready, _, _ = select.select([told, sys.stdin], [], [], 0.002 if new else None)
    if sys.stdin in ready:
        break
    if told in ready:
        data = told.recv(65536)
        while len(data) >= 32:
            size, kind = struct.unpack_from("=IH", data)
            index = struct.unpack_from("=i", data, 20)[0]
            data = data[size + 3 & ~3:]
            if kind == 16 and index not in known:
                known.add(index)
                new.add(index)
            elif kind == 17:
                new.discard(index)
    new -= {index for index in new if usable(index)}
"""
"""Prints "BOOTTIME NAME MAC" of each new interface as soon as it is up and has its link; sets it up where it may and
nobody else does. It sleeps until its kernel tells of one (rtnetlink(7)), and ends with its input. The flag RUNNING
would come late: a kernel works it out once a second for a device, at once for one end of a pair."""
