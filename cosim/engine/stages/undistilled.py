"""A float student that learns from labels alone."""

from __future__ import annotations

from cosim.engine.stage import StageKind, Workspace
from cosim.engine.training_job import TrainingJob, plugins_of, spec_of, train, untrained


def work(workspace: Workspace) -> None:
    """Train the student from its seed."""
    spec = spec_of(workspace.stage)
    train(workspace, TrainingJob(untrained(workspace, spec), spec))


UNDISTILLED = StageKind("undistilled", parents=("fold",), work=work, plugins=plugins_of)
