"""A teacher: fitted once a fold; students meet its outputs only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from cosim.engine.files import Json
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stage_inputs import fold_of
from cosim.engine.training_job import student_plugins
from cosim.teachers.ensemble import TeacherSpec, TeacherTargets, fit_teacher, read_targets, write_targets

TARGETS = "targets.safetensors"


def plugins(config: Mapping[str, Json]) -> Iterable[str]:
    """Return the modules of the plug-ins that a teacher asks for: its members' families."""
    return [module for member in cast(list[Json], config["members"]) for module in student_plugins(member)]


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


TEACHER = StageKind("teacher", parents=("fold",), work=work, plugins=plugins)
