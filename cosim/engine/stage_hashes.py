"""Hashes of a stage's files: written when it is published, checked when it is opened."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, cast

from cosim.engine.files import to_json

HASHES = "hashes.json"
_DIGEST_BYTES = 16
_CHUNK_BYTES = 1 << 20
_FORBIDDEN = (errno.EACCES, errno.EPERM)

_State: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
_whole: dict[Path, _State] = {}  # folders this process has found whole, each as it was then


def write_hashes(folder: Path) -> None:
    """Write the hash of every file of a folder beside them."""
    (folder / HASHES).write_text(to_json({"blake2b": _hashes(folder)}), encoding="utf-8")


def damage(folder: Path) -> str:
    """Return what is wrong with the files of a stage, empty where each is as it was published.

    A folder is read once in each process, and again only where a file of it was changed since.

    Raises
    ------
    PermissionError
        Where a file may not be read, which says nothing about what it holds.
    """
    try:
        state = _state(folder)
        if _whole.get(folder) == state:
            return ""
        found = _difference(_written(folder), _hashes(folder))
    except OSError as error:
        if error.errno in _FORBIDDEN:
            raise
        return f"{Path(error.filename or folder).name} cannot be read ({error.strerror})"
    if not found:
        _whole[folder] = state
    return found


def _difference(written: Mapping[str, str] | None, found: Mapping[str, str]) -> str:
    if written is None:
        return f"{HASHES} is missing or damaged"
    for name in sorted({*written, *found}):
        if name not in found:
            return f"{name} is missing"
        if name not in written:
            return f"{name} does not belong there"
        if written[name] != found[name]:
            return f"{name} is not what was written"
    return ""


def _written(folder: Path) -> Mapping[str, str] | None:
    try:
        document: object = json.loads((folder / HASHES).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    hashes = cast(dict[str, object], document).get("blake2b") if isinstance(document, dict) else None
    return cast(dict[str, str], hashes) if isinstance(hashes, dict) else None


def _hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _hash(path) for path in _files(folder) if path.name != HASHES}


def _hash(path: Path) -> str:
    hasher = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def _state(folder: Path) -> _State:
    """Return what changes where a file is written, replaced, added or removed."""
    stats = ((path.relative_to(folder).as_posix(), path.stat()) for path in _files(folder))
    return tuple((name, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats)


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, by name; hidden ones, which file managers leave, do not count."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir() and not path.name.startswith("."):
            yield path
