"""Elements of a MATLAB version 5 file, walked before they are read: scipy's reader, which is C, ends on a wrong one.

Every element states its type and its size in four bytes each; one of at most four bytes keeps both, and its data, in
eight. A matrix holds elements, of cells and structures matrices again (MATLAB, MAT-File Format, section "Level 5").
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

MATRIX, COMPRESSED = 14, 15  # miMATRIX, miCOMPRESSED
KNOWN = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, MATRIX, 16, 17, 18})
FLAGS, SIZES = 6, frozenset({5, 6})  # miUINT32; miINT32, and miUINT32 by other writers
FORMS = frozenset(range(1, 19))  # mxCELL_CLASS to mxOBJECT_CLASS of MATLAB's newer kind
HOLDERS, OPAQUE = frozenset({1, 2, 3}), 17  # cells, structures, objects; what has a class of MATLAB's own
MOST_DIMENSIONS = 32
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
            _check_matrix(source, size, order, nested + 1)
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
    _check_matrix(inside, length, order, 0)


def _check_matrix(source: BinaryIO | Packed, length: int, order: Order, nested: int) -> None:
    """Raise where what a matrix begins with, flags and sizes, is wrong, or an element of it; an empty one has none."""
    if length == 0:
        return
    kind, flags, used = _header(source, length, order)
    if kind != FLAGS or len(flags) != 8:
        raise ValueError(f"a matrix begins with type {kind} and {len(flags):,} bytes, not with its flags")
    form = int.from_bytes(flags[:4], order) & 0xFF
    if form not in FORMS:
        raise ValueError(f"a matrix is of class {form}")
    if form != OPAQUE:  # it has no sizes
        kind, sizes, more = _header(source, length - used, order)
        used += more
        dimensions, rest = divmod(len(sizes), 4)
        if kind not in SIZES or rest or not 2 <= dimensions <= MOST_DIMENSIONS:
            raise ValueError(f"a matrix states its sizes as type {kind} and {len(sizes):,} bytes")
        each = [int.from_bytes(sizes[at : at + 4], order, signed=True) for at in range(0, len(sizes), 4)]
        if min(each) < 0 or (form in HOLDERS and math.prod(each) * 8 > length):  # a matrix inside has 8 bytes at least
            raise ValueError(f"a matrix of {length:,} bytes states the sizes {each}")
    check_elements(source, length - used, order, nested=nested)


def _header(source: BinaryIO | Packed, left: int, order: Order) -> tuple[int, bytes, int]:
    """Return type, data and bytes taken of a short element at the front of a matrix."""
    tag = source.read(8)
    first, size = (int.from_bytes(tag[at : at + 4], order) for at in (0, 4))
    small = first >> 16
    if small:
        if len(tag) < 8 or small > 4:
            raise ValueError(f"an element states type {first & 0xFFFF} and {small:,} bytes")
        return first & 0xFFFF, tag[4 : 4 + small], 8
    padded = size + -size % 8
    if len(tag) < 8 or size > 4 * MOST_DIMENSIONS or padded > left - 8:
        raise ValueError(f"an element states type {first} and {size:,} bytes")
    data = source.read(padded)
    if len(data) < padded:
        raise ValueError("it ends early")
    return first, data[:size], 8 + padded


def _skip(source: BinaryIO | Packed, count: int) -> None:
    while count > 0:
        part = len(source.read(min(count, PART_BYTES)))
        if not part:
            raise ValueError("it ends early")
        count -= part
