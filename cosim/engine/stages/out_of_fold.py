"""Undistilled students fitted on inner folds, so that they answer about training examples they have not seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.engine.fold_data import FoldData, fold_of, outputs_of_rows
from cosim.engine.stage import Stage, Workspace
from cosim.engine.training_job import spec_of, untrained
from cosim.teachers.cross_fitting import inner_folds
from cosim.teachers.learning import CrossFitting
from students.training import fit


def out_of_fold_outputs(workspace: Workspace, role: str, plan: CrossFitting) -> NDArray[Any]:
    """Return what an undistilled student says of the labelled training examples, from fits that have not seen them.

    Checkpoints of these fits stay in the stage's checkpoint folder, which the stage deletes. Inner folds, and what each
    fit learns from, are those of the teacher (`cosim.teachers.cross_fitting`).

    Parameters
    ----------
    workspace : Workspace
        Of a stage that has the student as a parent.
    role : str
        That parent's.
    plan : CrossFitting
    """
    student = workspace.stage.parents[role]
    data = fold_of(dataclasses.replace(workspace, stage=student))
    kept = workspace.store.checkpoint(workspace.stage.key) / role
    fold, found = data.fold, None
    for one in inner_folds(data.dataset, fold, plan):
        inner = FoldData(data.dataset, one.fold)
        outputs = _fitted_outputs(workspace, student, inner, one.held, kept / f"{one.name}.safetensors")
        if found is None:
            found = np.full((len(fold.train), *outputs.shape[1:]), np.nan, dtype=outputs.dtype)
        found[np.isin(fold.train, one.held)] = outputs
    return cast(NDArray[Any], found)


def _fitted_outputs(
    workspace: Workspace, student: Stage, data: FoldData, rows: NDArray[np.int64], checkpoint: Path
) -> NDArray[Any]:
    spec, model = spec_of(student), untrained(dataclasses.replace(workspace, stage=student), spec_of(student))
    if spec.training.epochs:
        fit(model, data.repeated_train({}), data.part("validation"), spec, checkpoint=checkpoint,
            device=workspace.device)  # fmt: skip
    return outputs_of_rows(model, data, rows, workspace.device)
