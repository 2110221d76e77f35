"""Safe, atomic files: a reader sees the old content or the new, never a part, and one that was damaged is refused.

A safetensors file written here has the same bytes for the same content, and the hash of both in its metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from energy_models.errors import StudentError
from energy_models.quantities import write_failure, write_whole

HASH = "blake2b"
_DIGEST_BYTES = 16
_LENGTH_BYTES = 8  # of the header's length, little endian, at the start of the file
_ALIGNMENT = 8
_CHUNK_BYTES = 1 << 20
_METADATA = "__metadata__"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, with the folders above it.

    Raises
    ------
    StudentError
        The disk is full, or the folder cannot be written; an older file at `path` is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise StudentError(
            f"cannot write ({write_failure(error)})", where=str(path), remedy="Free some space or choose another folder"
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file.

    Raises
    ------
    StudentError
        As `write_bytes`.
    """
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    content = memoryview(save(plain))
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(bytes(content[_LENGTH_BYTES:start])) | {_METADATA: dict(metadata)}
    hasher = _hasher(header)
    hasher.update(content[start:])
    header[_METADATA][HASH] = hasher.hexdigest()
    text = _header_text(header)
    text += b" " * (-len(text) % _ALIGNMENT)
    write_bytes(path, b"".join([len(text).to_bytes(_LENGTH_BYTES, "little"), text, content[start:]]))


def _hasher(header: Mapping[str, Any]) -> hashlib.blake2b:
    """Return a hash of a header without the entry that holds the hash, to be continued with the tensors' bytes."""
    metadata = {name: text for name, text in header[_METADATA].items() if name != HASH}
    return hashlib.blake2b(_header_text({**header, _METADATA: metadata}), digest_size=_DIGEST_BYTES)


def _header_text(header: Mapping[str, Any]) -> bytes:
    """Return the one text of a header; safetensors writes its metadata in another order each time."""
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the text of a safetensors file.

    Raises
    ------
    StudentError
        The file is absent, truncated, no safetensors file, or not what was written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if HASH in metadata and metadata[HASH] != _hash_of(path):
                raise StudentError(
                    "it is not what was written", where=str(path), remedy="Delete the file and make it again"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise StudentError(
            f"cannot read tensors ({error})", where=str(path), remedy="Delete the file and make it again"
        ) from error


def _hash_of(path: Path) -> str:
    """Return the hash of a file that is known to be a safetensors file."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(_LENGTH_BYTES), "little")))
        hasher = _hasher(header)
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def content_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    StudentError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StudentError(
            f"it cannot be read ({error.strerror})", where=str(path), remedy="Name a safetensors file by its whole path"
        ) from error
