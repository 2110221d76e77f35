"""The gate: a teacher that does not beat the student trained without it, on held-out examples, does not teach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cosim.evaluation.intervals import Interval
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
        Means over the pairs of scores.
    message : str
        One sentence for the report.
    """

    source: TeacherSource
    teacher_score: float
    student_score: float
    message: str


@dataclass(frozen=True, slots=True)
class GateRule:
    """What a teacher has to show.

    Parameters
    ----------
    margin : float
        By how much its score is to be above the student's, in the metric's units.
    decided_by : {'mean', 'interval'}
        Whether the difference itself, or the lower end of its interval over held-out examples, is above the margin.
    """

    margin: float = 0.0
    decided_by: Literal["mean", "interval"] = "mean"


PLAIN_RULE = GateRule()


def gate(
    teacher_scores: Sequence[float],
    student_scores: Sequence[float],
    *,
    metric: str,
    over: Literal["fold", "seed"],
    on: str = "validation",
    rule: GateRule = PLAIN_RULE,
    difference: Interval | None = None,
) -> GateResult:
    """Return who teaches: the teacher if its score is above the undistilled student's as the rule has it.

    Parameters
    ----------
    teacher_scores, student_scores : sequence of float
        One per fold or seed, in the same order; larger is better.
    metric : str
        Name for the message.
    over : {'fold', 'seed'}
        What the scores range over, for the message.
    on : str
        What examples they are of, for the message.
    rule : GateRule
    difference : Interval or None
        Teacher less student, paired by example; None: not known, which no rule by interval passes.

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
    count, known = len(teacher_scores), difference is not None and difference.method != "none"
    numbers = (
        f"{on} {metric}, {f'mean of {count} {over}s' if count > 1 else f'one {over}'}: "
        f"teacher {teacher:.3f}, student without distillation {student:.3f}"
    )
    if known and difference is not None:
        ends = f"{difference.low:+.3f} to {difference.high:+.3f}"
        numbers += f"; {difference.level:.0%} interval of the difference {ends}, {difference.count} {difference.over}"
    elif difference is not None:
        numbers += f"; no interval, {difference.reason}"
    if rule.margin:
        numbers += f"; margin {rule.margin:g}"
    low = difference.low if known and difference is not None else -math.inf
    shown = low if rule.decided_by == "interval" else teacher - student
    if shown > rule.margin:
        return GateResult("teacher", teacher, student, f"The teacher passes ({numbers}).")
    surely = " by what the rule asks" if rule != PLAIN_RULE else ""
    message = f"The teacher does not beat the student{surely} ({numbers}), so quantised students learn from the float "
    message += "student."
    return GateResult("float student", teacher, student, message)
