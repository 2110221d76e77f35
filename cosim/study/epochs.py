"""Where a study may say that nothing is trained: for weights of one's own that are taken as they are."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.schema import StudentPlan, Study
from students.spec import Quantised
from students.training import needs_teacher


def epoch_problems(study: Study, student: StudentPlan) -> Iterator[str]:
    """Yield what is wrong with trainings of a student that have no epochs, each with the setting's path."""
    training = student.training or study.training.student
    if training.epochs == 0 and student.weights is None:
        yield "training.epochs: 0, and no weights to take as they are; give 'weights', or one epoch or more"
    quantised = student.quantised_training or study.training.quantised or training
    if quantised.epochs == 0 and any(isinstance(form, Quantised) for form in student.forms):
        yield "quantised_training.epochs: 0, where integers have to be trained; give it epochs of its own"


def method_epoch_problems(study: Study, student: StudentPlan) -> Iterator[str]:
    """Yield that a method, whose options are valid, trains the float student for no epochs; with the setting's path."""
    if student.method is None or (student.training or study.training.student).epochs:
        return
    if study.teacher is not None or not needs_teacher(student.method):
        yield f"training.epochs: 0, in which {student.method.name!r} trains nothing; give one or more, or no method"
