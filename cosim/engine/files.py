"""JSON and files of a run folder: one text for one value, files written whole, a full disk told in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, cast

from safetensors import SafetensorError

from energy_models.errors import CosimError, errors_placed
from energy_models.quantities import TEMPORARY, no_room, parse_json, read_text, write_failure, write_whole

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no nan (which equals nothing, itself included)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_digest(value: object) -> str:
    """Return the blake2b hash, 32 hexadecimal digits, of the canonical JSON of `value`."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=16).hexdigest()


def disk_full(where: Path) -> CosimError:
    """Return the error that says a disk is full, and how to go on."""
    remedy = "Nothing finished is lost and nothing half-written was kept. Free some space, then `cosim resume`."
    return CosimError("the disk is full", where=str(where), remedy=remedy)


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
        if no_room(error):  # a part that writes its own files has put it in its own words
            raise disk_full(where) from error
        raise
    except SafetensorError as error:  # what it has to say of a full disk is a text of its own
        if "No space left" in str(error):
            raise disk_full(where) from error
        raise
    except OSError as error:
        if no_room(error):
            raise disk_full(where) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise CosimError(
                "this folder cannot be written", where=str(where), remedy="Name another one with --out."
            ) from error
        raise


@contextmanager
def record_errors(root: Path) -> Generator[None]:
    """Turn what is raised where tables and records of a run do not go together, or were edited, into one of our errors.

    Only what interprets files of a finished run stands in here; each file alone is checked where it is read.

    Raises
    ------
    CosimError
        Naming the folder; other failures, of the disk and of the memory, pass unchanged.
    """
    try:
        with errors_placed(str(root)):
            yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise CosimError(
            f"tables and records of this run do not go together, or were edited ({said})", where=str(root),
            remedy=f"`cosim resume {shlex.quote(str(root))}` writes them again, nothing finished is computed again; an "
            "archived run: take it from version control.",
        ) from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, so that readers see the old one or the new one, never a part.

    Raises
    ------
    CosimError
        If the disk is full, or there can be no such file.
    """
    try:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
    except OSError as error:
        raise CosimError(
            f"this file cannot be written ({write_failure(error)})", where=str(path),
            remedy="Name another one with --out.",
        ) from error


def remove_stale(folder: Path) -> None:
    """Remove the temporaries that processes of this machine left in a folder when they were killed.

    Only the one process that holds the run folder's lock may; one that is alive, such as a report being written,
    keeps its own.
    """
    for path in folder.glob(f".*{TEMPORARY}"):
        process = path.name[1:].partition(".")[0]
        if process.isdecimal() and not _alive(int(process)):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def read_json(path: Path) -> dict[str, Json]:
    """Return the object of a JSON file.

    Raises
    ------
    CosimError
        If it is missing or not a JSON object.
    """
    if not path.exists():
        raise CosimError("this file is missing", where=str(path), remedy="Run the study again.")
    remedy = "Delete it and run again."
    text = read_text(path, error=CosimError, remedy=remedy)
    value = parse_json(text, where=str(path), error=CosimError, remedy=remedy, nan="read")
    if not isinstance(value, dict):
        raise CosimError("this is not a JSON object", where=str(path), remedy=remedy)
    return cast(dict[str, Json], value)


def to_json(value: Mapping[str, object]) -> str:
    """Return the readable JSON text that files of a run folder hold."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
