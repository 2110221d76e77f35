"""Safe, atomic files: a reader sees the old content or the new, never a part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from energy_models.errors import StudentError
from energy_models.quantities import write_whole


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
            f"cannot write ({error.strerror})", where=str(path), remedy="Free some space or choose another folder"
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file.

    Raises
    ------
    StudentError
        As `write_bytes`.
    """
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata=dict(metadata)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the text of a safetensors file.

    Raises
    ------
    StudentError
        The file is absent, truncated, or no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise StudentError(
            f"cannot read tensors ({error})", where=str(path), remedy="Delete the file and make it again"
        ) from error
