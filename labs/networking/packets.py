"""What stands in a file of packets that `-i any` wrote: TCP over IPv4, below Linux's cooked header (SLL2). Pure."""

from __future__ import annotations

import io
import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labkit.measure import pcap

LINUX_SLL2 = 276
_COOKED_BYTES = 20
_IPV4, _TCP = 0x0800, 6
_SYN, _ACK = 2, 16
Way = Literal["in", "out", "past"]
"""Into the kernel at this interface, out of it, or past: it was addressed to another, and only shown to who listens."""

_WAYS: Mapping[int, Way] = {3: "past", 4: "out"}
"""PACKET_OTHERHOST and PACKET_OUTGOING, packet(7)."""


@dataclass(frozen=True)
class Packet:
    """One sight of a packet: at which interface, which way, and what it carried."""

    at_ns: int
    """By the stamp of the kernel that saw it, since 1970."""
    interface: int
    """The interface's index in its network namespace."""
    way: Way
    source: str
    """Address and port: 10.0.0.2:8000."""
    destination: str
    flags: int
    payload: bytes

    @property
    def opens(self) -> bool:
        """Whether it asks for a connection."""
        return self.flags & (_SYN | _ACK) == _SYN


def read(file: bytes) -> list[Packet]:
    """The TCP packets of a file in the order in which they were seen. Raises ValueError where it is of another kind."""
    link, records = pcap.records(io.BytesIO(file))
    if records and link != LINUX_SLL2:
        raise ValueError(f"these packets have link type {link}, not Linux's cooked header ({LINUX_SLL2})")
    found = (_packet(record) for record in records)
    return [packet for packet in found if packet]


def _packet(record: pcap.Record) -> Packet | None:
    data = record.data
    try:
        protocol, interface, way = struct.unpack_from(">H2xI2xB", data)
        ip = data[_COOKED_BYTES:]
        if protocol != _IPV4 or ip[9] != _TCP:
            return None
        (length,) = struct.unpack_from(">H", ip, 2)
        tcp = ip[(ip[0] & 15) * 4 : length]
        source, destination, flags = struct.unpack_from(">HH9xB", tcp)
    except (struct.error, IndexError):
        return None
    return Packet(
        record.at_ns,
        interface,
        _WAYS.get(way, "in"),
        f"{ipaddress.ip_address(ip[12:16])}:{source}",
        f"{ipaddress.ip_address(ip[16:20])}:{destination}",
        flags,
        tcp[(tcp[12] >> 4) * 4 :],
    )
