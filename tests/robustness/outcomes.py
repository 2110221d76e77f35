"""What reading one changed file may end in, and what it must never end in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from energy_models.errors import CosimError

READ, REFUSED = "read", "refused"
SOUND = (READ, REFUSED)
FAULTS = (
    "traceback",
    "unnamed",
    "no remedy",
    "silent",
    "strict",
    "noise",
    "memory",
    "hang",
    "crash",
    "broken",
)
"""Another exception; an error that names no file; one without a remedy; a result that breaks an invariant of its kind;
a refusal of a file that is sound; text or warnings of libraries; more memory than `MOST_BYTES`; longer than the limit;
the death of the process; an error of the fuzz itself."""
MOST_BYTES = 2 << 30
"""By which a process may grow on one input [bytes]."""


class UnsoundError(Exception):
    """A result that breaks an invariant: a negative price, a count that is silently zero."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What one input ended in.

    Parameters
    ----------
    kind : str
        Of file.
    number : int
        Of the input; with the seed it makes the same bytes again.
    done : str
        What was changed.
    end : str
        One of `SOUND` or `FAULTS`.
    said : str
        The error's text, the traceback, or what was printed.
    seconds : float
    """

    kind: str
    number: int
    done: str
    end: str
    said: str
    seconds: float


def of_error(error: CosimError, path: Path) -> str:
    """Return what one of our errors counts as: refused where it names a file of the input and has a remedy.

    The name without its suffix does: a machine, a site, a network is called as its file is.
    """
    files = [path, *(one for one in path.parent.rglob("*") if one.is_file() or one.is_symlink())]
    if not any(re.search(rf"(?<!\w){re.escape(one.stem)}(?!\w)", str(error)) for one in files):
        return "unnamed"
    listed = ":\n  " in str(error)  # a line for each problem of a file, by dotted path: each says what is expected
    return REFUSED if error.remedy or listed else "no remedy"
