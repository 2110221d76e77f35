"""Weights of one's own to start from: a safetensors file whose names and shapes are those of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.models.tensor_files import read_tensors

SUFFIX = ".safetensors"
NAMED = 5
"""Names that are listed of many."""


def load_weights(model: nn.Module, path: Path, *, new: str = "") -> None:
    """Put the tensors of a file into a network, in place.

    Parameters
    ----------
    model : nn.Module
    path : Path
        A safetensors file, as ``safetensors.torch.save_file(model.state_dict(), path)`` writes it.
    new : str
        Beginning of the names of tensors that stay as they are in the network where the file has none of their shape,
        such as those of a classifier for other classes; empty: none.

    Raises
    ------
    StudentError
        A file that cannot be read or is of another kind, names or shapes that are not those of the network, or numbers
        that are not finite.
    """
    if path.suffix != SUFFIX:
        raise StudentError(
            f"weights are read from {SUFFIX} files only, as others can run code when they are opened", where=str(path),
            remedy="Write one: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')",
        )
    tensors, _ = read_tensors(path)
    check_real(tensors, path)
    if new:
        tensors = _with_own(model.state_dict(), tensors, new)
    _check_names(model.state_dict(), tensors, path)
    model.load_state_dict(tensors)
    check_finite(model.state_dict(), path)


def _with_own(own: Mapping[str, Tensor], found: Mapping[str, Tensor], new: str) -> dict[str, Tensor]:
    """Return the tensors of a file, those of a new part replaced by the network's own where they do not fit."""
    kept = {name: value for name, value in found.items() if not name.startswith(new) or name in own}
    return kept | {
        name: value for name, value in own.items()
        if name.startswith(new) and (name not in found or found[name].shape != value.shape)
    }  # fmt: skip


def check_real(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise where tensors hold complex numbers, whose imaginary parts would be lost.

    Raises
    ------
    StudentError
        Naming the tensors and the file.
    """
    if wrong := [name for name, value in tensors.items() if value.is_complex()]:
        raise StudentError(f"{_listed(wrong)} holds complex numbers", where=str(path), remedy="Store real numbers")


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise where tensors hold numbers that are none, or too large for their type.

    Raises
    ------
    StudentError
        Naming the tensors and the file.
    """
    if wrong := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise StudentError(f"{_listed(wrong)} holds numbers that are not finite", where=str(path),
                           remedy="Train that network again")  # fmt: skip


def _check_names(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    missing, foreign = [name for name in wanted if name not in found], [name for name in found if name not in wanted]
    shapes = [
        f"{name} is {tuple(found[name].shape)}, the network's {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    said = [f"it lacks {_listed(missing)}"] if missing else []
    said += [f"it holds {_listed(foreign)}, which the network has not"] if foreign else []
    said += [_listed(shapes)] if shapes else []
    if not said:
        return
    remedy = "Save the state_dict() of the same class, made with the same options for the same channels, steps, outputs"
    if any(name.startswith("output_scale.") for name in missing):
        remedy += ". Estimates that are in physical units already need the option output_scale = 'none'"
    raise StudentError(f"the weights do not fit: {'; '.join(said)}", where=str(path), remedy=remedy)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
