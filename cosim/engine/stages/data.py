"""The recordings of a study, cut into examples; written by the coordinator, which alone reads recordings."""

from __future__ import annotations

from cosim.engine.stage import StageKind, Workspace
from energy_models.errors import StudentError


def missing(workspace: Workspace) -> None:
    """Refuse to compute: a worker finds this stage written.

    Raises
    ------
    StudentError
        Always.
    """
    raise StudentError(
        f"a stage of kind '{workspace.stage.kind}' is missing", where=str(workspace.folder),
        remedy="Run the study again.",
    )


DATA = StageKind("data", parents=(), work=missing, sources=("cosim.engine.stored_data",), failure="run")
