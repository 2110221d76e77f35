"""A teacher: fitted once a fold; students meet its outputs only."""

from __future__ import annotations

import shutil
from pathlib import Path

from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stage_inputs import fold_of
from cosim.teachers.ensemble import TeacherSpec, TeacherTargets, fit_teacher, read_targets, write_targets

TARGETS = "targets.safetensors"


def work(workspace: Workspace) -> None:
    """Fit the teacher and keep its outputs on every part."""
    spec = TeacherSpec.model_validate({"members": workspace.stage.config["members"]})
    data = fold_of(workspace)
    kept = workspace.store.checkpoint(workspace.stage.key)
    targets = fit_teacher(
        spec, data.part("train"), data.part("validation"), data.part("test").inputs, checkpoints=kept
    )
    write_targets(workspace.folder / TARGETS, targets)
    shutil.rmtree(kept, ignore_errors=True)


def targets_in(folder: Path) -> TeacherTargets:
    """Return the outputs that a finished teacher's folder holds."""
    return read_targets(folder / TARGETS)


TEACHER = StageKind("teacher", parents=("fold",), work=work, schema=1)
