"""The one error family. Every message says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
        super().__init__(f"{text}. {remedy}" if remedy else f"{text}.")

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


def unknown_name(kind: str, name: str, available: Iterable[str]) -> str:
    """Return the remedy text for a name that does not exist: the nearest names, then all of them."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return f"{hint}Available {kind}: {', '.join(names) if names else 'none'}"
