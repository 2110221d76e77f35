"""A trained student on the disk: ``weights.safetensors`` and ``spec.json``, nothing that executes on loading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from energy_models.errors import StudentError
from energy_models.quantities import parse_json, read_text
from students.models.build import build
from students.models.tensor_files import read_tensors, write_bytes, write_tensors
from students.models.weights import check_finite, check_real
from students.spec import StudentSpec, digest_of
from students.spec.migration import former_form

SCHEMA = "cosim.student/3"
FORMER = "cosim.student/2"
"""Its forms are texts of before first and last weights followed the form (`students.spec.migration`)."""

WEIGHTS, SPEC = "weights.safetensors", "spec.json"


def save_student(folder: Path, model: nn.Module, spec: StudentSpec, extra: Mapping[str, str]) -> None:
    """Write a student; each file appears whole or not at all, and the weights name the spec they belong to.

    Parameters
    ----------
    folder : Path
        Made where absent.
    model : nn.Module
        As built from `spec`.
    spec : StudentSpec
    extra : mapping of str to str
        Provenance: dataset, fold, versions, losses.

    Raises
    ------
    StudentError
        The folder cannot be written.
    """
    write_tensors(folder / WEIGHTS, model.state_dict(), {"schema": SCHEMA, "spec_digest": spec.digest})
    description = {"schema": SCHEMA, "spec": spec.model_dump(mode="json"), "extra": dict(extra)}
    write_bytes(folder / SPEC, json.dumps(description, indent=1).encode())


def load_student(folder: Path, *, device: torch.device | str = "cpu") -> tuple[nn.Module, StudentSpec]:
    """Return a stored student in evaluation mode, and its description.

    Parameters
    ----------
    folder : Path
    device : torch.device or str
        Where the weights are put; a file names none.

    Raises
    ------
    StudentError
        A missing or damaged file, weights of another spec, or weights that do not fit the network the spec builds.
    """
    description = _description(folder)
    spec = _spec(description)
    tensors, metadata = read_tensors(folder / WEIGHTS)
    if metadata.get("spec_digest") != digest_of(description["spec"]):
        raise StudentError(
            f"{WEIGHTS} belongs to another {SPEC}", where=str(folder), remedy="Train this student again"
        )
    check_real(tensors, folder / WEIGHTS)
    model = build(spec)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise StudentError(
            f"the weights do not fit the network ({error})", where=str(folder), remedy="Train this student again"
        ) from error
    check_finite(model.state_dict(), folder / WEIGHTS)
    return model.to(device).eval(), spec


def load_extra(folder: Path) -> dict[str, str]:
    """Return the provenance stored beside a student.

    Raises
    ------
    StudentError
        A missing or damaged ``spec.json``.
    """
    return _description(folder)["extra"]


def _spec(description: Mapping[str, Any]) -> StudentSpec:
    """Return a student's spec, its form in today's words."""
    written = dict(description["spec"])
    if description["schema"] == FORMER:
        written["form"] = former_form(str(written.get("form", "float32")))
    return StudentSpec.model_validate(written)


def _description(folder: Path) -> dict[str, Any]:
    path, remedy = folder / SPEC, "Train this student again"
    text = read_text(path, error=StudentError, remedy=remedy)
    description = parse_json(text, where=str(path), error=StudentError, remedy=remedy)
    try:
        schema = description["schema"]
        if schema in (SCHEMA, FORMER):
            _spec(description)
            dict(description["extra"])
    except (ValueError, KeyError, TypeError, StudentError) as error:
        raise StudentError(
            f"cannot read a student's description ({type(error).__name__}: {error})", where=str(path), remedy=remedy
        ) from error
    if schema not in (SCHEMA, FORMER):
        raise StudentError(
            f"schema {schema!r} where {SCHEMA!r} is read", where=str(path), remedy=remedy
        )
    return description
