"""Says what a changed study does in a run folder that holds an earlier one: which stages stay, which are computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from cosim.engine.plan import configurations, reference_points, student_points, undistilled_points
from cosim.engine.points import FoldStage, Point
from cosim.engine.run_folder import load_plan
from cosim.engine.stage import with_ancestors
from cosim.engine.store import Store
from cosim.study.changes import changes
from cosim.study.schema import Study
from energy_models.errors import CosimError
from students.spec import Shape

SHOWN_CHANGES = 4


def changes_in_folder(root: Path, study: Study) -> tuple[str, ...]:
    """Return what differs from the study that a run folder holds; nothing where it holds none.

    A plan that cannot be read says nothing: it is written anew.
    """
    try:
        return changes(load_plan(root)[0], study)
    except CosimError:
        return ()


def effect_text(
    found: Sequence[str], study: Study, folds: Sequence[FoldStage], shape: Shape, store: Store
) -> str:
    """Return one line: what changed, how many stages stay, how many of each kind are computed.

    Parameters
    ----------
    found : sequence of str
        As `changes_in_folder` returned them.
    study : Study
        As it is now.
    folds : sequence of FoldStage
    shape : Shape
        What a student takes and gives.
    store : Store
    """
    stages = {stage.digest: stage for point in _points(study, folds, shape) for stage in with_ancestors(point.result)}
    missing = Counter(stage.kind for stage in stages.values() if not store.has(stage.key))
    listed = ", ".join(found[:SHOWN_CHANGES])
    more = f" and {len(found) - SHOWN_CHANGES} more" if len(found) > SHOWN_CHANGES else ""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(missing.items()))
    computed = f"{missing.total()} are computed ({kinds})" if missing else "none is computed"
    beside = "" if _is_grid(study) else "; of students, what the search picks and is not there"
    return (
        f"the study of this folder changed: {listed}{more}. {len(stages) - missing.total()} of its stages stay and "
        f"{computed}{beside}; tables and prices are made again"
    )


def _is_grid(study: Study) -> bool:
    return not study.students or study.search.sampler == "grid"


def _points(study: Study, folds: Sequence[FoldStage], shape: Shape) -> Iterator[Point]:
    yield from reference_points(study, folds, shape)
    for configuration in configurations(study) if _is_grid(study) else ():
        yield from student_points(study, configuration, folds, shape)
        yield from undistilled_points(study, configuration, folds, shape)
