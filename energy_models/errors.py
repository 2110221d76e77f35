"""The one error family. Every message says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path


class CosimError(Exception):
    """A mistake the user can mend; the command line prints it as one paragraph and exits with code 2.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without its full stop.
    where : str
        File, dotted path, layer or option it was found in.
    remedy : str
        What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        text = f"{where}: {what}" if where else what
        ended = text if text.endswith("?") else f"{text}."
        super().__init__(f"{ended} {remedy}" if remedy else ended)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[CosimError], what: str, where: str, remedy: str) -> CosimError:
    """Return the same error on the other side of a process boundary."""
    return kind(what, where=where, remedy=remedy)


class UnitError(CosimError):
    """A unit that is unknown, or of the wrong dimension for its field."""


class ProfileError(CosimError):
    """A profile or site file that cannot be read, or is incomplete for what is requested."""


class WorkloadError(CosimError):
    """A workload that is malformed, of another schema version, or incomplete where completeness is needed."""


class NoMachineError(WorkloadError):
    """No machine among the choices of a search takes a network, or holds its limits."""


class PriceError(CosimError):
    """An operation or access that the profile has no price for."""


class DataError(CosimError):
    """A recording that is missing, truncated, or holds values no decoder can use."""


class SplitError(CosimError):
    """A split that would leak, or has no trials on one side."""


class StudyError(CosimError):
    """A study file that is malformed or requests something impossible."""


class StudentError(CosimError):
    """A student that cannot be built, trained, observed or stored as requested."""


_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|array is too big|cannot allocate", re.I)


@contextmanager
def memory_errors(kind: type[CosimError], where: str) -> Generator[None]:
    """Turn a lack of memory, which numerical libraries report in several ways, into an error of the given kind.

    Raises
    ------
    CosimError
        Of that kind; every other failure passes unchanged.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _NO_MEMORY.search(str(error)):
            raise
        remedy = "Make it smaller, or use a machine with more memory"
        raise kind("there is not enough memory for it", where=where, remedy=remedy) from error


@contextmanager
def errors_placed(where: str) -> Generator[None]:
    """Put the name of a file, which checks of its content do not know, before the place of our errors.

    Raises
    ------
    CosimError
        Of the kind that was raised; one that says `where` already passes unchanged.
    """
    try:
        yield
    except CosimError as error:
        if where in str(error):
            raise
        place = f"{where}: {error.where}" if error.where else where
        raise type(error)(error.what, where=place, remedy=error.remedy) from error


MOST_NAMES = 60
"""Listed in the message of an unknown name."""


def unknown_name(kind: str, name: str, available: Iterable[str]) -> str:
    """Return the remedy text for a name that does not exist: the nearest names, then all, or the first of very many."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    listed, more = names[:MOST_NAMES], len(names) - MOST_NAMES
    rest = f" and {more} more" if more > 0 else ""
    return f"{hint}Available {kind}: {', '.join(listed) if names else 'none'}{rest}"


def raised_where(error: BaseException, folder: Path | None = None) -> str:
    """Return what code of somebody else raised, as one line: kind, message, file and line.

    Parameters
    ----------
    error : BaseException
    folder : Path or None
        The last line that was reached of a file in or below it is told; where there is none, it is the last line
        outside of installed packages and the import machinery.
    """
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{told}, {Path(error.filename or '').name} line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[1:] if not frame.filename.startswith("<")]
    theirs = [frame for frame in frames if folder is not None and Path(frame.filename).is_relative_to(folder)]
    outside = [frame for frame in frames if "importlib" not in Path(frame.filename).parts]
    chosen = theirs or [frame for frame in outside if "site-packages" not in Path(frame.filename).parts] or outside
    return f"{told}, {Path(chosen[-1].filename).name} line {chosen[-1].lineno}" if chosen else told
