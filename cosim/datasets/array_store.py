"""Arrays kept once outside of all runs, named by a hash of their content, mapped by whoever reads them.

An array appears under its name in one atomic step, so a reader never sees a part of one. The store may be deleted at
any time: a run that needs an array again writes it from the recordings.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from platformdirs import user_cache_path

from cosim.datasets.files import reading
from energy_models.errors import DataError
from energy_models.quantities import write_failure

ENVIRONMENT = "COSIM_CACHE"
REMEDY = "Run the study again, or `cosim resume`: it is written again from the recordings"


def array_digest(array: NDArray[Any]) -> str:
    """Return the hash of an array's content, type and shape, 32 hexadecimal digits."""
    hasher = hashlib.blake2b(repr((array.dtype.str, array.shape)).encode(), digest_size=16)
    hasher.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class ArrayStore:
    """A folder of arrays, one ``.npy`` file each; several processes may fill it at once.

    Parameters
    ----------
    root : Path
        Created where absent.
    """

    root: Path

    def path(self, digest: str) -> Path:
        """Return where the array of this digest is kept."""
        return self.root / "arrays" / digest[:2] / f"{digest}.npy"

    def put(self, array: NDArray[Any]) -> str:
        """Keep an array unless it is there, whole, and return its digest.

        Raises
        ------
        DataError
            If the folder cannot be written or the disk is full.
        """
        digest = array_digest(array)
        path = self.path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.parent / ".lock"):
                if not self._holds(digest):
                    _write(path, array)
        except OSError as error:
            raise DataError(f"the data store cannot be written ({write_failure(error)})", where=str(self.root),
                            remedy=f"Free some space, or name another folder with {ENVIRONMENT}.") from error
        return digest

    def _holds(self, digest: str) -> bool:
        """Return whether the array is there and its content is what its name says."""
        try:
            return array_digest(self.map(digest)) == digest
        except DataError:
            return False

    def map(self, digest: str) -> NDArray[Any]:
        """Return an array mapped from the disk, read only.

        Raises
        ------
        DataError
            If it is not there, or its file is damaged or cut short.
        """
        path = self.path(digest)
        if not path.is_file():
            raise DataError("this array is not in the data store (any more)", where=str(path), remedy=f"{REMEDY}.")
        with reading(path, "this array of the data store is damaged", remedy=f"{REMEDY}."):
            return np.load(path, mmap_mode="r", allow_pickle=False)


def _write(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # a temporary file is its owner's alone
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def default_store() -> ArrayStore:
    """Return the store in the folder ``COSIM_CACHE`` names, or else in the user's cache folder of this platform."""
    named = os.environ.get(ENVIRONMENT, "")
    return ArrayStore(Path(named) if named else user_cache_path("cosim"))
