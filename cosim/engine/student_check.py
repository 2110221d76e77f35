"""Builds every student of a class or with weights of one's own before anything is trained, and tells what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from cosim.study.choices import option_ends
from cosim.study.schema import StudentPlan, Study
from energy_models.errors import DataError, StudentError, StudyError
from energy_models.workload import Workload
from students.counting import observe
from students.families import is_own_class, load_family
from students.models.build import build, mode
from students.models.weights import load_weights
from students.spec import Quantised, Shape, StudentSpec
from students.training import module_shapes, parse_method

EXAMPLES = 4
"""Made-up examples on which an untrained network is quantised and counted."""


def check_students(study: Study, shape: Shape) -> None:
    """Refuse a study with a network class, or weights, of one's own that do not go with its recordings, or bad forms.

    Of a class's options that are searched over, the first combination is built; another one that fails is a failed
    point. A form of a family's network is refused where no combination has it, such as widths for layers it lacks, and
    a method that reads a module of the student where no combination has this module in a shape that it takes.

    Parameters
    ----------
    study : Study
    shape : Shape
        What a student takes and gives.

    Raises
    ------
    StudyError
        Every problem found, by dotted path.
    """
    own = [plan.weights is not None or is_own_class(load_family(plan.family)) for plan in study.students]
    problems = [
        f"students.{i}{problem}"
        for i, plan in enumerate(study.students)
        for problem in (*(_problems if own[i] else _form_problems)(plan, shape), *_after_problems(plan, shape))
    ]
    problems += [
        f"students.{i}{problem}"
        for i, plan in enumerate(study.students) if plan.weights is None for problem in _method_problems(plan, shape)
    ]  # fmt: skip
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        told = "\n  ".join(problems)
        raise StudyError(f"{count}; nothing was computed:\n  {told}".rstrip("."), where=study.study.name)


def _after_problems(plan: StudentPlan, shape: Shape) -> Iterator[str]:
    """Yield why a filter does not go with these recordings."""
    if plan.after is None:
        return
    if shape.task != "regression":
        yield ".after: a filter of estimates in time is for a regression, and these recordings are classified"
        return
    try:
        plan.after.sections(shape.step_rate_hz)
    except DataError as error:
        yield f".after: {error}"


def _problems(plan: StudentPlan, shape: Shape) -> Iterator[str]:
    """Yield what is wrong with a student, or else with each of its forms; what several forms share is told once."""
    spec = StudentSpec(family=plan.family, options=option_ends(plan)[0], shape=shape, seed=0)
    try:
        floating = build(spec)
        if plan.weights is not None:
            load_weights(floating, Path(plan.weights))
    except StudentError as error:
        yield f": {error}"
        return
    told: set[str] = set()
    for j, form in enumerate(plan.forms):
        try:
            if isinstance(form, Quantised):
                _check_quantised(spec.model_copy(update={"form": form}), form, floating)
        except StudentError as error:
            if str(error) not in told:
                yield f".forms.{j}: {error}"
            told.add(str(error))


def _form_problems(plan: StudentPlan, shape: Shape) -> Iterator[str]:
    """Yield the forms that no network of a family has; options that build no float network are failed points."""
    specs = [StudentSpec(family=plan.family, options=one, shape=shape, seed=0) for one in option_ends(plan)]
    for j, form in enumerate(plan.forms):
        if not isinstance(form, Quantised):
            continue
        asked = [spec.model_copy(update={"form": form}) for spec in specs]
        if any(_refusal(one) is None for one in asked):  # mostly the first
            continue
        able = [one for one, floating in zip(asked, specs, strict=True) if _refusal(floating) is None]
        if able:
            yield f".forms.{j}: {_refusal(able[0])}"


def _method_problems(plan: StudentPlan, shape: Shape) -> Iterator[str]:
    """Yield the methods that read a module which no network of a student has, or not in a shape that they take."""
    for place, given in enumerate(plan.searched_methods):
        if given is None:
            continue
        method, options = parse_method(given)
        names = method.needs(options).student
        specs = [StudentSpec(family=plan.family, options=one, shape=shape, seed=0) for one in option_ends(plan)]
        refused: StudentError | None = None
        for spec in specs if names else ():
            try:
                network = build(spec)
            except StudentError:  # a failed point, whatever its method
                continue
            try:
                method.check(options, module_shapes(network, torch.zeros(2, shape.channels, shape.steps), names))
            except StudentError as error:
                refused = refused or error
            else:
                break
        else:
            if refused is not None:
                yield f"{f'.method_choices.{place}' if plan.method_choices else '.method'}: {refused}"


def _refusal(spec: StudentSpec) -> StudentError | None:
    """Return why a network cannot be built."""
    try:
        build(spec)
    except StudentError as error:
        return error
    return None


def _check_quantised(spec: StudentSpec, form: Quantised, floating: nn.Module) -> None:
    # Deferred: Brevitas takes seconds to import, and float students do not need it.
    from students.models.from_float import quantised_from_float

    shape = spec.shape
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn((EXAMPLES, shape.channels, shape.steps), generator=generator)
    work = observe(
        quantised_from_float(spec, floating, signal), signal, name=spec.label, mode=mode(spec),
        step_rate_hz=shape.step_rate_hz, input_bits=form.input_bits,
    )  # fmt: skip
    check_widths(work, form)


def check_widths(work: Workload, form: Quantised) -> None:
    """Refuse a quantised network with a product of other widths than its form's.

    Parameters
    ----------
    work : Workload
        Counted on the network itself.
    form : Quantised

    Raises
    ------
    StudentError
        Naming every such product.
    """
    weights, inputs = form.all_widths
    wrong = [
        f"{layer.name} ({layer.arithmetic}, {layer.weight_bits}-bit weights, {layer.activation_bits}-bit inputs)"
        for layer in work.layers
        if layer.products is not None
        and not (
            layer.arithmetic == "integer"
            and layer.activation_bits in inputs
            and (layer.weight_bits in weights or not layer.weights)  # a product of two signals stores none
        )
    ]
    if wrong:
        raise StudentError(
            f"products that are not {form}: {', '.join(wrong)}", where="form",
            remedy="Make every product a layer (Linear, Conv1d, Conv2d), or train this decoder in float32 only",
        )
