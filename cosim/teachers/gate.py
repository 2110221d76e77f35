"""The gate: a teacher that does not beat the student trained without it, on validation examples, does not teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from energy_models.errors import StudentError

TeacherSource = Literal["teacher", "float student"]


@dataclass(frozen=True, slots=True)
class GateResult:
    """Who teaches, and the numbers that decided it.

    Parameters
    ----------
    source : {'teacher', 'float student'}
        Whose outputs the quantised or spiking student learns from.
    teacher_score, student_score : float
        Means over the pairs of validation scores.
    message : str
        One sentence for the report.
    """

    source: TeacherSource
    teacher_score: float
    student_score: float
    message: str


def gate(
    teacher_scores: Sequence[float],
    student_scores: Sequence[float],
    *,
    metric: str,
    over: Literal["fold", "seed"],
) -> GateResult:
    """Return who teaches: the teacher if its mean validation score is above the undistilled student's.

    Parameters
    ----------
    teacher_scores, student_scores : sequence of float
        Validation scores, one per fold or seed, in the same order; larger is better.
    metric : str
        Name for the message.
    over : {'fold', 'seed'}
        What the scores range over, for the message.

    Raises
    ------
    StudentError
        No scores, or not as many of one as of the other.
    """
    if len(teacher_scores) != len(student_scores) or not teacher_scores:
        raise StudentError(
            f"{len(teacher_scores)} teacher scores against {len(student_scores)} student scores", where="teacher gate",
            remedy=f"Give a score of each for every {over}",
        )
    teacher, student = (sum(scores) / len(scores) for scores in (teacher_scores, student_scores))
    count = len(teacher_scores)
    numbers = (
        f"validation {metric}, {f'mean of {count} {over}s' if count > 1 else f'one {over}'}: "
        f"teacher {teacher:.3f}, student without distillation {student:.3f}"
    )
    if teacher > student:
        return GateResult("teacher", teacher, student, f"The teacher passes ({numbers}).")
    message = f"The teacher does not beat the student ({numbers}), so quantised students learn from the float student."
    return GateResult("float student", teacher, student, message)
