"""Changes of bytes and of the folder around a file, which every kind of file is given."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

MAGIC = (
    b"", b"\x00" * 4096, b"{}", b"[]", b"null", b"\xff\xfe" + "name".encode("utf-16-le"),
    b"\x89PNG\r\n\x1a\n" + bytes(64),
    b"PK\x03\x04" + bytes(60), b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n" + bytes(200),
    b"SQLite format 3\x00" + bytes(84),
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }".ljust(128) + bytes(72),
    b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", b"PAR1" + bytes(32) + b"PAR1", b"<html></html>",
    b"a,b\n1,2\n", b"[" * 3000, b'{"a":' * 3000, b"a = 1\na = 2\n", b"\x80\x04K\x01.", b"0       " + b" " * 248,
)  # fmt: skip
"""Other formats under this name: texts, archives, arrays, databases, pickles, and nesting without an end."""
SIZES = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40)
LINE = b"\n"


def damaged_bytes(data: bytes, dice: Random) -> tuple[bytes, str]:
    """Return other bytes, and what was done; damage falls near the begin more often, where structure is."""
    size = max(len(data), 1)
    place = dice.randrange(size) if dice.random() < 0.4 else dice.randrange(min(size, 1024))
    act = dice.choice(
        ("flip", "flip", "flip", "cut", "line", "giant", "giant", "utf8", "swap", "insert", "foreign", "tail")
    )
    found = bytearray(data)
    match act:
        case "flip":
            for _ in range(dice.choice((1, 1, 4, 40))):
                at = min(place + dice.randrange(32), len(found) - 1)
                if found:
                    found[at] ^= 1 << dice.randrange(8)
        case "cut":
            border = dice.choice((place, size // 2, size - 1, 8 * (place // 8), 512 * (place // 512)))
            del found[border:]
        case "line":
            ends = [at for at, byte in enumerate(found[:100_000]) if byte == LINE[0]] or [place]
            start = dice.choice(ends)
            del found[start : dice.choice([at for at in ends if at >= start])]
        case "giant":
            width = dice.choice((2, 4, 8))
            value = dice.choice(SIZES) % (1 << 8 * width)
            at = place // 4 * 4
            found[at : at + width] = struct.pack({2: "<H", 4: "<I", 8: "<Q"}[width], value)
        case "utf8":
            found[place:place] = dice.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf"))
        case "swap":
            half = size // 2
            found = found[half:] + found[:half]
        case "insert":
            found[place:place] = dice.randbytes(dice.choice((1, 7, 512)))
        case "tail":
            found += dice.choice((b"\x00" * 100, data[: size // 3], dice.randbytes(9)))
        case _:
            found = bytearray(dice.choice(MAGIC))
    return bytes(found), f"{act} at {place}"


def damaged_file(victim: Path, dice: Random) -> str:
    """Change a file's bytes, or what stands at its place."""
    act = dice.randrange(24)
    if act > 3:
        data, said = damaged_bytes(victim.read_bytes(), dice)
        victim.write_bytes(data)
        return f"{victim.name}: {said}"
    victim.unlink()
    if act == 0:
        victim.symlink_to(victim)
        return f"{victim.name}: a link to itself"
    if act == 1:
        victim.mkdir()
        return f"{victim.name}: a folder"
    if act == 2:
        victim.write_bytes(b"")
        return f"{victim.name}: empty"
    return f"{victim.name}: gone"


def damaged(path: Path, dice: Random) -> str:
    """Change one file of an input: the one that is read, or one beside or below it."""
    files = sorted(one for one in path.parent.rglob("*") if one.is_file())
    victim = path if path.is_file() and dice.random() < 0.6 else dice.choice(files)
    return damaged_file(victim, dice)
