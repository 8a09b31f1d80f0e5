"""Files of packets as tcpdump writes them (pcap), record by record; one that is cut short is left out. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

HEADER_BYTES = 24
_RECORD_BYTES = 16
_PER_S = {0xA1B2C3D4: 1_000_000, 0xA1B23C4D: 1_000_000_000}
"""First word of a file -> parts of a second in which its stamps count."""


@dataclass(frozen=True)
class Record:
    """One packet: when it was seen, in nanoseconds since 1970, and its bytes, in which its link type stands first."""

    at_ns: int
    data: bytes


def parts(source: IO[bytes]) -> Iterator[bytes]:
    """The file's header, then each record with its own, whole: any number of them makes a file that can be opened."""
    if len(header := source.read(HEADER_BYTES)) == HEADER_BYTES:
        yield header
        while len(head := source.read(_RECORD_BYTES)) == _RECORD_BYTES:
            (size,) = struct.unpack_from("<I", head, 8)
            data = source.read(size)
            if len(data) == size:
                yield head + data


def records(source: IO[bytes]) -> tuple[int, list[Record]]:
    """The link type and the packets of a file written on this kind of machine; 0 and none where it is empty.

    Raises ValueError where it is no such file.
    """
    found = parts(source)
    header = next(found, b"")
    if not header:
        return 0, []
    magic, link = struct.unpack("<I16xI", header)
    if magic not in _PER_S:
        raise ValueError(f"this is no file of packets: it begins with {header[:4].hex()}")
    read = []
    for part in found:
        seconds, fraction = struct.unpack_from("<II", part)
        at_ns = seconds * 1_000_000_000 + fraction * (1_000_000_000 // _PER_S[magic])
        read.append(Record(at_ns, part[_RECORD_BYTES:]))
    return link, read
