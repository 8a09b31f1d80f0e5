"""Runs inside a replica that has a kernel of its own and no tcpdump: writes what its adapters carry of one TCP port.

As `tcpdump -i any -w -` would, by the same kernel's stamps, until its input ends: it is sent there as a text, and needs
nothing but Python. The file that it writes on standard output has nanoseconds and Linux's cooked headers (SLL2).
"""

from __future__ import annotations

import select
import socket
import struct
import sys

ALL = 3
"""ETH_P_ALL: whatever comes in or goes out."""
IPV4 = 0x0800
TCP = 6
TIMESTAMPNS = 35
"""SO_TIMESTAMPNS, which Python has no name for: the kernel's own stamp beside each packet."""
LONGEST = 65536
FILE = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST, 276)


def record(data: bytes, seconds: int, nanoseconds: int, index: int, way: int) -> bytes:
    """One packet from its IP header on, as it stands in the file."""
    cooked = struct.pack(">HHIHBB8x", IPV4, 0, index, 1, way, 6) + data
    return struct.pack("<IIII", seconds, nanoseconds, len(cooked), len(cooked)) + cooked


def of_port(data: bytes, port: int) -> bool:
    """Whether this is TCP over IPv4, from or to the port."""
    if len(data) < 20 or data[0] >> 4 != 4 or data[9] != TCP:  # noqa: PLR2004 - RFC 791
        return False
    start = (data[0] & 15) * 4
    return port in struct.unpack_from(">HH", data.ljust(start + 4, b"\0"), start)


def main(port: int) -> None:
    """Write what passes, until standard input ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL)) as link:
        link.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        out = sys.stdout.buffer
        out.write(FILE)
        out.flush()
        sys.stderr.write("listening on any\n")
        sys.stderr.flush()
        while sys.stdin not in (ready := select.select([link, sys.stdin], [], [])[0]):
            if link in ready:
                data, notes, _, (name, kind, way, *_) = link.recvmsg(LONGEST, 256)
                if kind == IPV4 and of_port(data, port):
                    (stamp,) = [value for level, what, value in notes if what == TIMESTAMPNS] or [bytes(16)]
                    seconds, nanoseconds = struct.unpack("qq", stamp)
                    out.write(record(data, seconds, nanoseconds, socket.if_nametoindex(name), way))
                    out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
