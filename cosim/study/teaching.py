"""What a study says of teachers, methods and unlabelled examples that changes nothing, and is therefore refused."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.schema import GatePlan, StudentPlan, Study, TeacherPlan
from cosim.teachers.registry import parse_teacher
from cosim.teachers.teacher import Origin
from students.spec import Float32, MethodSpec
from students.training import METHODS, asks_teacher, leaves_unlabelled, needs_teacher


def teaching_problems(study: Study) -> Iterator[str]:
    """Yield what is said of teaching and has no effect, with the setting's path; names and options are valid."""
    origin = None if study.teacher is None else origin_of(study.teacher)
    for place, student in enumerate(study.students):
        for problem in _student_problems(study, student):
            yield f"students.{place}.{problem}"
    if origin is None:
        if study.gate != GatePlan():
            yield "gate: there is no teacher that has to pass it; give [teacher], or leave [gate] out"
        if study.training.teacher is not None:
            yield "training.teacher: there is no teacher; give [teacher], or leave this out"
    elif study.teacher is not None:
        yield from _teacher_problems(study, study.teacher, origin)
    if study.unlabelled is not None:
        yield from _pool_problems(study, origin)


def origin_of(plan: TeacherPlan) -> Origin:
    """Return where a teacher's answers come from; its name and options are valid."""
    teacher, options = parse_teacher(plan.name, plan.options)
    return teacher.origin(options)


def taught_by(student: StudentPlan) -> list[MethodSpec]:
    """Return the methods of a student that read a teacher's targets."""
    return [spec for spec in student.searched_methods if spec is not None and needs_teacher(spec)]


def _learns_from_float(student: StudentPlan) -> bool:
    """Return whether a form learns from the float student where there is no other teacher."""
    return any(not isinstance(form, Float32) for form in student.forms)


def _student_problems(study: Study, student: StudentPlan) -> Iterator[str]:
    taught = taught_by(student)
    if taught and study.teacher is None and not _learns_from_float(student):
        path = "method_choices" if student.method_choices else "method"
        yield (f"{path}: {taught[0].name!r} learns from a teacher and there is none, so that nothing is distilled; "
               "give [teacher], or a quantised form, which learns from the float student, or leave the method out")
    unlabelled = study.labels is not None or study.unlabelled is not None
    if not unlabelled and (alone := next(filter(leaves_unlabelled, taught), None)) is not None:
        yield (f"method: {alone.name!r} leaves unlabelled examples out and there are none; leave 'unlabelled' out of "
               "its options, or give [labels] or [unlabelled]")
    if student.method_weights:
        yield from (f"method_weights: {problem}" for problem in _weight_problems(study, student, taught))


def _weight_problems(study: Study, student: StudentPlan, taught: list[MethodSpec]) -> Iterator[str]:
    if study.teacher is None or not taught:
        yield "there is no teacher to be weighed; give [teacher] and a method that learns from it"
        return
    for spec in taught:
        if "weight" not in METHODS.load(spec.name).options.model_fields:
            yield f"the method {spec.name!r} has no option 'weight'"
        elif "weight" in spec.options:
            yield f"the weight of {spec.name!r} is chosen from these; leave 'weight' out of its options"
    if not any(student.method_weights):
        yield "0 alone is the student trained from labels; give the weights that are to be tried beside it"


def _teacher_problems(study: Study, plan: TeacherPlan, origin: Origin) -> Iterator[str]:
    if not any(map(taught_by, study.students)):
        yield 'teacher: no student learns from it; give one a method, such as "kl", or leave [teacher] out'
    asked = [name for name, given in (("out_of_fold", plan.out_of_fold is not None),
                                      ("learns_from", plan.learns_from != "training")) if given]  # fmt: skip
    if asked and origin in ("loaded", "stored"):
        yield f"teacher.{asked[0]}: {plan.name!r} is not fitted here, so this changes nothing; leave it out"
    elif plan.out_of_fold is not None and plan.learns_from == "left_out":
        yield "teacher.out_of_fold: who learns from what is left out has not seen the training part; leave it out"
    if plan.out_of_fold is not None and (spec := _asking(study)) is not None:
        yield (f"teacher.out_of_fold: {spec.name!r} changes the inputs, and the teacher that is asked about them has "
               "seen the whole training part; leave this out, or give the method no noise, mixup or unit_drop")
    if study.gate.on == "out_of_fold" and plan.out_of_fold is None:
        yield "gate.on: the teacher has no outputs out of fold; give teacher.out_of_fold, or leave this out"
    if origin != "trained" and study.training.teacher is not None:
        yield f"training.teacher: {plan.name!r} trains no network here, so this changes nothing; leave it out"
    if origin == "trained" and (study.training.teacher or study.training.student).epochs == 0:
        yield "training.teacher.epochs: 0, a teacher has to learn; give [training] teacher epochs of its own"


def _asking(study: Study) -> MethodSpec | None:
    """Return the first method that asks the teacher about changed inputs."""
    every = [spec for student in study.students for spec in taught_by(student)]
    return next((spec for spec in every if asks_teacher(spec)), None)


def _pool_problems(study: Study, origin: Origin | None) -> Iterator[str]:
    taught = [student for student in study.students if taught_by(student)]
    if not any(origin is not None or _learns_from_float(student) for student in taught):
        yield ("unlabelled: no student learns from examples without labels; give one a method that learns from a "
               "teacher, or leave [unlabelled] out")
    if origin == "stored":
        yield ("unlabelled: the teacher's answers are those of a file, which has none for windows that are cut here; "
               "leave [unlabelled] out, or take a teacher that can be asked")
