"""Elements of a MATLAB version 5 file, walked before they are read: scipy's reader, which is C, ends on a wrong one.

Every element states its type and its size in four bytes each; one of at most four bytes keeps both, and its data, in
eight. A matrix holds elements, of cells and structures matrices again (MATLAB, MAT-File Format, section "Level 5").
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

MATRIX, COMPRESSED = 14, 15  # miMATRIX, miCOMPRESSED
KNOWN = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, MATRIX, 16, 17, 18})
MOST_NESTED = 64
PART_BYTES = 1 << 20


@dataclass(slots=True)
class Packed:
    """Reads a compressed element.

    Parameters
    ----------
    file : file
    left : int
        Bytes of it [bytes].
    """

    file: BinaryIO
    left: int
    _unpacker: Any = field(default_factory=zlib.decompressobj)

    def read(self, count: int) -> bytes:
        """Return the next bytes, or as many as there are."""
        found = bytearray()
        while len(found) < count and not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self.file.read(min(self.left, PART_BYTES))
            if not self._unpacker.unconsumed_tail:
                self.left -= len(packed)
            if not packed:
                break
            found += self._unpacker.decompress(packed, count - len(found))
        return bytes(found)


Order = Literal["little", "big"]


def check_elements(source: BinaryIO | Packed, length: int, order: Order, *, nested: int = 0) -> None:
    """Raise where elements are of an unknown type, or do not lie inside of the element that holds them.

    Parameters
    ----------
    source : file or Packed
        Stands at the first of them.
    length : int
        Of all of them [bytes].
    order : {'little', 'big'}
    nested : int
        Elements that they lie in.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    if nested > MOST_NESTED:
        raise ValueError(f"elements lie more than {MOST_NESTED} deep in each other")
    while length > 0:
        tag = source.read(8)
        first, size = (int.from_bytes(tag[at : at + 4], order) for at in (0, 4))
        small = first >> 16
        kind, size = (first & 0xFFFF, 0) if small else (first, size)
        padded = size + -size % 8
        if len(tag) < 8 or kind not in KNOWN or small > 4 or size > length - 8:
            raise ValueError(f"an element states type {kind} and {small or size:,} bytes")
        if kind == MATRIX:
            check_elements(source, size, order, nested=nested + 1)
            padded -= size
        _skip(source, min(padded, length - 8))
        length -= 8 + size + -size % 8


def check_variable(source: BinaryIO, kind: int, length: int, order: Order) -> None:
    """Raise where a variable, packed or not, is not made of elements.

    Parameters
    ----------
    source : file
        Stands behind the type and the size of the variable.
    kind, length : int
        Its type and its size [bytes].
    order : {'little', 'big'}

    Raises
    ------
    ValueError, zlib.error
    """
    inside: BinaryIO | Packed = source
    if kind == COMPRESSED:
        inside = Packed(source, length)
        tag = inside.read(8)
        kind, length = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
    if kind != MATRIX:
        raise ValueError(f"a variable is of type {kind}")
    check_elements(inside, length, order)


def _skip(source: BinaryIO | Packed, count: int) -> None:
    while count > 0:
        part = len(source.read(min(count, PART_BYTES)))
        if not part:
            raise ValueError("it ends early")
        count -= part
