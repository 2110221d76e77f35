"""Where the results of stages are kept: what every store can do.

A stage's key is a hash of everything that decides its content, so an unchanged study finds its results and a changed
one cannot find the wrong ones. A finished stage is computed again only where its files were damaged; an unfinished one
is never seen.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from energy_models.errors import CosimError


class StageKey(NamedTuple):
    """The name of a stage in a store: its kind, and the hash of everything it depends on."""

    kind: str
    digest: str


class StageLostError(CosimError):
    """A stage that is missing or damaged where it should be read; it can be computed again."""


class Store(Protocol):
    """Keeps the results of stages; it crosses to the processes that compute them, so it can be pickled."""

    def has(self, key: StageKey) -> bool:
        """Return whether the stage is there, complete and undamaged; a damaged one is set aside."""
        ...

    def folder(self, key: StageKey) -> Path:
        """Return a local folder with the files of a finished stage, to be read only.

        Raises
        ------
        StageLostError
            If it is missing or damaged.
        """
        ...

    def create(self, key: StageKey) -> AbstractContextManager[Path]:
        """Return a context that yields an empty folder, which becomes the stage where it ends without an error.

        On an error nothing is kept. Where the same stage was finished elsewhere in the meantime, that result stands:
        both were computed from the same inputs.
        """
        ...

    def checkpoint(self, key: StageKey) -> Path:
        """Return a path at which an unfinished computation of that stage may keep its state between runs."""
        ...

    def set_aside_checkpoint(self, key: StageKey, reason: str) -> None:
        """Take away the state of an unfinished computation that cannot be gone on from, with a note of the reason."""
        ...
