"""A teacher's point: its score; it is not deployed, so nothing is counted."""

from __future__ import annotations

from typing import Any

from cosim.engine.fold_data import FLOAT_BITS, fold_of, part_score
from cosim.engine.result_file import write_result
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.teacher import targets_in
from students.training import OUTPUTS


def work(workspace: Workspace) -> None:
    """Score the teacher on the test part."""
    data = fold_of(workspace)
    targets = targets_in(workspace.parent("teacher"))
    facts: dict[str, Any] = {
        "validation_score": part_score(data, "validation", targets.validation[OUTPUTS].numpy()),
        "distilled_from": "",
        "spec_digest": workspace.stage.parents["teacher"].digest,
        "parameters": 0,
        "weight_bits": FLOAT_BITS,
        "activation_bits": FLOAT_BITS,
    }
    write_result(workspace.folder, data, targets.test[OUTPUTS].numpy(), None, facts)


TEACHER_RESULT = StageKind("teacher_result", parents=("fold", "teacher"), work=work)
