"""Which stages this coordinator may compute: of several that share a run folder, one computes a stage at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from cosim.engine.files import disk_errors
from cosim.engine.local_store import CLAIMS, STAGES
from cosim.engine.store import StageKey


class Claims(Protocol):
    """Says which stages may be computed here and now."""

    def take(self, key: StageKey) -> bool:
        """Return whether a stage may be computed here; false while another coordinator computes it."""
        ...

    def give_back(self, key: StageKey) -> None:
        """Let others have a stage that was taken; of one that was not, nothing is said."""
        ...


class Alone:
    """The claims of a coordinator that has its run folder for itself: every stage is its own."""

    def take(self, key: StageKey) -> bool:
        """Return true."""
        return True

    def give_back(self, key: StageKey) -> None:
        """Do nothing."""


class Shared:
    """The claims of a coordinator that shares its run folder: a lock a stage, released when its holder ends.

    Parameters
    ----------
    root : Path
        Run folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / STAGES / CLAIMS
        self._held: dict[StageKey, FileLock] = {}

    def take(self, key: StageKey) -> bool:
        """Return whether a stage may be computed here.

        Raises
        ------
        CosimError
            If the run folder cannot be written.
        """
        if key in self._held:
            return True
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / f"{key.kind}-{key.digest}", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                return False
        self._held[key] = lock
        return True

    def give_back(self, key: StageKey) -> None:
        """Let others have a stage."""
        lock = self._held.pop(key, None)
        if lock is not None:
            Path(lock.lock_file).unlink(missing_ok=True)  # before others can have it; who has opened it looks again
            lock.release()

    def give_back_all(self) -> None:
        """Let others have what was taken."""
        for key in list(self._held):
            with contextlib.suppress(OSError):  # the folder is gone: nobody can want it
                self.give_back(key)


@contextmanager
def shared_claims(root: Path) -> Generator[Shared]:
    """Yield the claims of a coordinator that shares a run folder; others have them all at the end."""
    claims = Shared(root)
    try:
        yield claims
    finally:
        claims.give_back_all()
