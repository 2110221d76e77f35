"""What a kind of file needs to be fuzzed: how a sound one is written, how the product reads it, how it is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

Write = Callable[[Path], Path]
Read = Callable[[Path], None]
Change = Callable[[Path, Random], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that the product reads.

    Parameters
    ----------
    name : str
    write : callable
        ``write(folder)`` writes a sound one into an empty folder and returns what is read: a file or a folder.
    read : callable
        ``read(path)`` reads it as a command does, and raises `outcomes.UnsoundError` where what was read breaks an
        invariant of this kind.
    mild : callable
        ``mild(path, dice)`` changes nothing that matters, such as the order of keys: it must still be read.
    changes : tuple of callable
        ``change(path, dice)`` changes the structure of what was written and returns what it did. Bytes are changed
        for every kind, in the same share as all of these.
    weight : int
        Inputs of it in one round of all kinds.
    """

    name: str
    write: Write
    read: Read
    mild: Change
    changes: tuple[Change, ...] = ()
    weight: int = 1
