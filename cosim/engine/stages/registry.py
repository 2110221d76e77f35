"""Every kind of stage by its name."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.engine.stage import StageKind
from cosim.engine.stages.baseline import BASELINE
from cosim.engine.stages.data import DATA
from cosim.engine.stages.distilled import DISTILLED
from cosim.engine.stages.fold import FOLD
from cosim.engine.stages.gate import GATE
from cosim.engine.stages.quantised import QUANTISED
from cosim.engine.stages.result import RESULT
from cosim.engine.stages.teacher import TEACHER
from cosim.engine.stages.teacher_result import TEACHER_RESULT
from cosim.engine.stages.undistilled import UNDISTILLED

KINDS: Mapping[str, StageKind] = {
    kind.name: kind
    for kind in (
        DATA, FOLD, TEACHER, UNDISTILLED, GATE, DISTILLED, QUANTISED, RESULT, BASELINE, TEACHER_RESULT,
    )
}  # fmt: skip
