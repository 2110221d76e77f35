"""Where a study may say that nothing is trained: for weights of one's own that are taken as they are."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.schema import StudentPlan, Study
from students.spec import Quantised


def epoch_problems(study: Study, student: StudentPlan) -> Iterator[str]:
    """Yield what is wrong with trainings of a student that have no epochs, each with the setting's path."""
    training = student.training or study.training.student
    if training.epochs == 0 and student.weights is None:
        yield "training.epochs: 0, and no weights to take as they are; give 'weights', or one epoch or more"
    if training.epochs == 0 and student.method is not None and study.teacher is not None:
        yield "training.epochs: 0, so that nothing is learned from the teacher; give one epoch or more, or no method"
    quantised = student.quantised_training or study.training.quantised or training
    if quantised.epochs == 0 and any(isinstance(form, Quantised) for form in student.forms):
        yield "quantised_training.epochs: 0, where integers have to be trained; give it epochs of its own"
