"""What every family of students must do, in each task and form it declares."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from cosim.testing.contract import require, require_refused
from students.counting import observe
from students.families import load_family
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.models.store import load_student, save_student
from students.spec import Float32, Quantised, Shape, StudentSpec, Task, Training
from students.training import Examples, fit, predict

CHANNELS, STEPS, OUTPUTS, RATE_HZ = 4, 64, 3, 64.0
EXAMPLES = 12
TOLERANCE = 1e-4
INTEGER = Quantised(weight=4, activation_bits=4)


def check_family(name: str, options: dict[str, bool | int | float | str] | None = None) -> None:
    """Check a family: every task and form it declares is built, trained, decoded, counted, stored and loaded.

    Inputs are small: 4 channels, 64 steps at 64 Hz, 3 outputs.

    Parameters
    ----------
    name : str
        A registered family, or ``module:object``.
    options : dict or None
        Options that make it small enough for such inputs; None: its defaults.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        As the parts it calls.
    """
    family = load_family(name)
    where = f"family {name!r}"
    require(bool(family.tasks) and Float32 in family.forms, "it declares no task, or no float32 form", where=where,
            remedy="Declare at least one task, and Float32 among the forms")  # fmt: skip
    for task in family.tasks:
        spec = StudentSpec(
            family=name, options=options or {}, shape=_shape(task), training=Training(epochs=2, batch_size=4), seed=1
        )  # fmt: skip
        _check_build(spec, where)
        floating = _check_fitted(build(spec), spec, where)
        quantised = spec.model_copy(update={"form": INTEGER})
        if Quantised in family.forms:
            model = quantised_from_float(quantised, floating, _examples(spec.shape).inputs)
            _check_integer(_check_fitted(model, quantised, where), quantised, where)
        else:
            require_refused(lambda spec=quantised: build(spec), "an integer form it does not declare", where=where)
    unknown = StudentSpec(family=name, options={"no_such_option": 1}, shape=_shape(next(iter(family.tasks))), seed=1)
    require_refused(lambda: build(unknown), "an option that does not exist", where=where)


def _shape(task: Task) -> Shape:
    return Shape(task=task, channels=CHANNELS, steps=STEPS, outputs=OUTPUTS, step_rate_hz=RATE_HZ)


def _examples(shape: Shape) -> Examples:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 3, (EXAMPLES, CHANNELS, STEPS), generator=generator).float()
    if shape.task == "classification":
        return Examples(inputs, torch.arange(EXAMPLES) % OUTPUTS)
    return Examples(inputs, torch.randn(EXAMPLES, STEPS, OUTPUTS, generator=generator))


def _check_build(spec: StudentSpec, where: str) -> None:
    """The seed alone decides the first weights, and the global generator is left as it was."""
    before = torch.random.get_rng_state()
    first, again = build(spec).state_dict(), build(spec).state_dict()
    other = build(spec.model_copy(update={"seed": spec.seed + 1})).state_dict()
    remedy = "Draw weights from torch's generator only, while the family is built"
    require(_same(first, again), "one seed gives two networks", where=where, remedy=remedy)
    require(not _same(first, other), "two seeds give one network", where=where, remedy=remedy)
    unmoved = bool(torch.equal(before, torch.random.get_rng_state()))
    require(unmoved, "building moves torch's global generator", where=where, remedy=remedy)


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _check_fitted(model: nn.Module, spec: StudentSpec, where: str) -> nn.Module:
    """Train for two epochs and check what the student then gives: shape, independence of examples, no look ahead."""
    examples, at = _examples(spec.shape), f"{where}, {spec.shape.task}, {spec.form}"
    _check_shape(predict(model, examples.inputs), spec.shape, at)
    start = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, examples, examples, spec)
    require(not _same(start, model.state_dict()), "two epochs of training change nothing", where=at,
            remedy="Make its weights parameters that the loss depends on")  # fmt: skip
    outputs = predict(model, examples.inputs)
    alone = torch.cat([predict(model, one[None]) for one in examples.inputs])
    independent = bool(torch.allclose(outputs, alone, atol=TOLERANCE))
    require(independent, "an output depends on the other examples of its batch", where=at,
             remedy="Use no statistics of the batch in evaluation mode")  # fmt: skip
    if mode(spec) == "stream":
        _check_causal(model, examples.inputs, outputs, at)
    _check_stored(model, spec, examples.inputs, outputs, at)
    work = observe(model, examples.inputs, name=at, mode=mode(spec), step_rate_hz=RATE_HZ, input_bits=8)
    missing = [f"{one.operation} in {one.layer} ({one.reason})" for one in work.uncounted]
    counted = work.complete and any(layer.products is not None for layer in work.layers)
    require(counted, f"its work is not counted whole: {'; '.join(missing) or 'no product at all'}", where=at,
            remedy="Build it from the layers it is given")  # fmt: skip
    return model


def _check_shape(outputs: Tensor, shape: Shape, where: str) -> None:
    wanted = (EXAMPLES, OUTPUTS) if shape.task == "classification" else (EXAMPLES, STEPS, OUTPUTS)
    require(tuple(outputs.shape) == wanted, f"outputs of shape {tuple(outputs.shape)}, expected {wanted}", where=where,
            remedy="Return logits (batch, outputs), or estimates (batch, steps, outputs)")  # fmt: skip


def _check_causal(model: nn.Module, inputs: Tensor, outputs: Tensor, where: str) -> None:
    half = STEPS // 2
    changed = inputs.clone()
    changed[..., half:] += 1.0
    past = predict(model, changed)[:, :half]
    require(bool(torch.allclose(outputs[:, :half], past, atol=TOLERANCE)), "an estimate depends on later inputs",
            where=where, remedy="Pad convolutions on the past side only (padding='causal')")  # fmt: skip


def _check_stored(model: nn.Module, spec: StudentSpec, inputs: Tensor, outputs: Tensor, where: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_student(Path(folder), model, spec, {})
        loaded, _ = load_student(Path(folder))
    require(bool(torch.equal(predict(loaded, inputs), outputs)), "a stored student decodes otherwise than before",
            where=where, remedy="Keep everything that decides outputs in parameters and buffers")  # fmt: skip


def _check_integer(model: nn.Module, spec: StudentSpec, where: str) -> None:
    """A quantised student multiplies no float."""
    inputs = _examples(spec.shape).inputs
    work = observe(model, inputs, name=where, mode=mode(spec), step_rate_hz=RATE_HZ, input_bits=8)
    floating = [layer.name for layer in work.layers if layer.products is not None and layer.arithmetic == "float"]
    require(not floating, f"its integer form multiplies floats in {', '.join(floating)}", where=where,
            remedy="Take every product from the layers it is given")  # fmt: skip
