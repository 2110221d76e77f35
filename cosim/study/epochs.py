"""Where a study may say that nothing is trained (weights taken as they are), and where that events have a price."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.schema import StudentPlan, Study
from students.families import load_family
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


def spike_problems(study: Study, student: StudentPlan) -> Iterator[str]:
    """Yield that a student without spikes is trained at a price of spikes; of an own class only the network knows."""
    if load_family(student.family).spiking or ":" in student.family:
        return
    plans = {"training": student.training or study.training.student}
    plans["quantised_training"] = student.quantised_training or study.training.quantised or plans["training"]
    for name, plan in plans.items():
        if plan.spikes is not None and plan.spikes.weight and (name == "training" or plan is not plans["training"]):
            yield f"{name}.spikes: {student.family} has no spikes; give it to spiking students, in their own 'training'"
