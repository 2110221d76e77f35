"""Content-addressed results of stages: a finished one is never computed again, an unfinished one is never seen.

A stage's name is a hash of everything that decides its content, so an unchanged study finds its results
and a changed one cannot find the wrong ones. A folder appears under its final name in one atomic step.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, cast

from energy_models.errors import CosimError
from energy_models.quantities.files import write_whole

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

PARTIAL = ".partial"
CHECKPOINTS = ".checkpoints"


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no nan (which equals nothing, itself included)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_digest(value: object) -> str:
    """Return the blake2b hash, 32 hexadecimal digits, of the canonical JSON of `value`."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=16).hexdigest()


def stage_folder(root: Path, kind: str, digest: str) -> Path:
    """Return where the stage of that kind and digest lives below the run folder `root`."""
    return root / "stages" / kind / digest


def is_finished(folder: Path) -> bool:
    """Return whether the stage is there; a folder of that name is always complete."""
    return folder.is_dir()


def disk_full(where: Path) -> CosimError:
    """Return the error that says a disk is full, and how to go on."""
    remedy = "Nothing finished is lost and nothing half-written was kept. Free some space, then `cosim resume`."
    return CosimError("the disk is full", where=str(where), remedy=remedy)


def _full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(where: Path) -> Generator[None]:
    """Turn a full disk, an exhausted quota or a read-only folder into the one-paragraph error.

    Raises
    ------
    CosimError
        Naming the folder and what to free; every other failure passes unchanged.
    """
    try:
        yield
    except CosimError as error:
        if _full(error.__cause__):  # a part that writes its own files has put it in its own words
            raise disk_full(where) from error
        raise
    except OSError as error:
        if _full(error):
            raise disk_full(where) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise CosimError(
                "this folder cannot be written", where=str(where), remedy="Name another one with --out."
            ) from error
        raise


@contextmanager
def new_stage(root: Path, kind: str, digest: str) -> Generator[Path]:
    """Yield an empty folder that becomes the stage when the block ends without an error.

    On an error the folder is removed, and the stage stays absent. Where another process finished
    the same stage in the meantime, its result stands: both were computed from the same inputs.

    Raises
    ------
    CosimError
        If the disk is full or the run folder cannot be written.
    """
    final = stage_folder(root, kind, digest)
    with disk_errors(final):
        partial = root / "stages" / PARTIAL
        partial.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=f"{kind}-{digest}-", dir=partial))
        try:
            yield working
            _flush(working)
            _publish(working, final)
        finally:
            shutil.rmtree(working, ignore_errors=True)


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


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that readers see the old one or the new one, never a part.

    Raises
    ------
    CosimError
        If the disk is full, or there can be no such file.
    """
    try:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
    except OSError as error:
        raise CosimError(
            f"this file cannot be written ({error.strerror})", where=str(path), remedy="Name another one with --out."
        ) from error


def read_json(path: Path) -> dict[str, Json]:
    """Return the object of a JSON file.

    Raises
    ------
    CosimError
        If it is missing or not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CosimError("this file is missing", where=str(path), remedy="Run the study again.") from error
    except ValueError as error:
        raise CosimError(f"this is not JSON ({error})", where=str(path), remedy="Delete it and run again.") from error
    if not isinstance(value, dict):
        raise CosimError("this is not a JSON object", where=str(path), remedy="Delete it and run again.")
    return cast(dict[str, Json], value)


def to_json(value: Mapping[str, object]) -> str:
    """Return the readable JSON text that files of a run folder hold."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def remove_partial(root: Path) -> None:
    """Remove what interrupted stages left; only the one process that holds the run folder's lock may."""
    shutil.rmtree(root / "stages" / PARTIAL, ignore_errors=True)


def checkpoint_path(root: Path, kind: str, digest: str) -> Path:
    """Return where an unfinished training of that stage keeps its state between runs."""
    folder = root / "stages" / CHECKPOINTS
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{kind}-{digest}"
