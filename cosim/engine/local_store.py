"""A store in a folder: a stage appears under its final name in one atomic step."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cosim.engine.files import disk_errors
from cosim.engine.store import StageKey

PARTIAL = ".partial"
CHECKPOINTS = ".checkpoints"


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Keeps stages below a run folder, as ``stages/<kind>/<digest>``.

    Parameters
    ----------
    root : Path
        Run folder.
    """

    root: Path

    @property
    def _stages(self) -> Path:
        return self.root / "stages"

    def has(self, key: StageKey) -> bool:
        """Return whether the stage is there; a folder of that name is always complete."""
        return self.folder(key).is_dir()

    def folder(self, key: StageKey) -> Path:
        """Return where the stage lives."""
        return self._stages / key.kind / key.digest

    @contextmanager
    def create(self, key: StageKey) -> Generator[Path]:
        """Yield an empty folder that becomes the stage when the block ends without an error.

        Raises
        ------
        CosimError
            If the disk is full or the run folder cannot be written.
        """
        final = self.folder(key)
        with disk_errors(final):
            partial = self._stages / PARTIAL
            partial.mkdir(parents=True, exist_ok=True)
            final.parent.mkdir(parents=True, exist_ok=True)
            working = Path(tempfile.mkdtemp(prefix=f"{key.kind}-{key.digest}-", dir=partial))
            try:
                yield working
                _flush(working)
                _publish(working, final)
            finally:
                shutil.rmtree(working, ignore_errors=True)

    def checkpoint(self, key: StageKey) -> Path:
        """Return where an unfinished computation of that stage keeps its state between runs."""
        folder = self._stages / CHECKPOINTS
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key.kind}-{key.digest}"

    def remove_partial(self) -> None:
        """Remove what interrupted stages left; only the one process that holds the run folder's lock may."""
        shutil.rmtree(self._stages / PARTIAL, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Bring every file of the folder to the disk, so that a name never outlives its content in a power cut."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _publish(working: Path, final: Path) -> None:
    try:
        working.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
