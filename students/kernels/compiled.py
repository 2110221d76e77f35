"""Functions compiled by Numba when their module is imported, and kept on disk for the next process.

Import a module of compiled functions only where one is about to run: it imports Numba. The copy on disk is renewed
when the file of a function changes, so that helpers which are compiled into it belong into the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., object])

_uncached: list[str] = []


def compiled(*signatures: str) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function for these signatures, without the interpreter's lock.

    IEEE arithmetic in the written order: no fused multiply-add, no reordered sums, so that a loop over steps has the
    bits of the same torch operations. Where no copy can be kept on disk, the function is compiled in each process.

    Parameters
    ----------
    signatures : str
        Numba's notation: ``void(float32[:, ::1], float32)``.
    """

    def decorate(function: Function) -> Function:
        from numba import njit

        try:
            return cast(Function, njit(list(signatures), cache=True, nogil=True, error_model="numpy")(function))
        except (RuntimeError, OSError) as error:  # no folder to be written, or a full one
            if not _is_about_the_cache(error):
                raise
            _uncached.append(str(error))
            return cast(Function, njit(list(signatures), nogil=True, error_model="numpy")(function))

    return decorate


def uncached() -> tuple[str, ...]:
    """Return why functions could not be kept on disk, each reason once."""
    return tuple(dict.fromkeys(_uncached))


def _is_about_the_cache(error: Exception) -> bool:
    return isinstance(error, OSError) or "cannot cache function" in str(error)
