"""Neurons with an integer membrane: the definition by hand, its gradients, training, forms, counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from deployed_networks import quantised, signals
from torch import Tensor

from energy_models.errors import StudentError
from students.counting import observe
from students.kernels import using_kernels
from students.models.build import build, mode
from students.models.store import load_student, save_student
from students.neurons import (
    LIF,
    LeakyIntegrator,
    LeakyIntegratorModel,
    LIFModel,
    MultiSpikeModel,
    ParametricModel,
    Surrogate,
)
from students.neurons.integer import IntegerIntegrator, IntegerLIF, threshold_level
from students.quantize.neurons import IntegerNeurons, integer_neurons
from students.spec import Shape, StudentSpec, parse_form
from students.training.examples import Examples
from students.training.fit import fit
from students.training.predict import predict

STREAM = Shape(task="regression", channels=5, steps=40, outputs=2, step_rate_hz=20.0)


@dataclasses.dataclass
class OnGrid:
    """Levels times a step."""

    value: Tensor
    scale: Tensor


def drive(*levels: float, step: float = 0.25) -> OnGrid:
    return OnGrid(torch.tensor(levels).reshape(1, 1, -1) * step, torch.tensor(step))


def test_a_neuron_by_hand() -> None:
    """Four bits: threshold 4, membranes within 7, decay 0.75 = 192 / 256. Of drives 3, 3, 3, 7, 7, 0, -7, -7, 0, 0:
    3; 2.25 cut to 2, 5, spike; 3.75 cut to 3, + 3 - 4 = 2; 1 + 7 = 8, held at 7, spike; 5 + 7 - 4, held at 7, spike;
    5 - 4 = 1; 0 - 7 = -7; -5.25 cut to -5, - 7, held at -7; -5; -3.75 cut to -3."""
    neurons = IntegerLIF(1, LIFModel(0.75, 1.0), 4)
    assert (neurons.level, neurons.highest) == (4, 7)
    spikes = neurons(drive(3, 3, 3, 7, 7, 0, -7, -7, 0, 0))
    assert spikes.flatten().tolist() == [0, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    integrator = IntegerIntegrator(1, LeakyIntegratorModel(0.75))
    membranes = integrator(drive(3, 3, 0, -7, 0, 0, 0, 0, 0, 0, 0)) / 0.25
    assert membranes.flatten().tolist() == [3, 5, 3, -5, -3, -2, -1, 0, 0, 0, 0]


@pytest.mark.parametrize(("reset", "expected"), [("subtract", [1, 1, 1, 1]), ("zero", [1, 1, 1, 1]), ("none", [1] * 4)])
def test_resets(reset: str, expected: list[int]) -> None:
    neurons = IntegerLIF(1, LIFModel(1.0, 1.0, reset=reset), 4)  # type: ignore[arg-type]
    assert neurons(drive(7, 7, 7, 7)).flatten().tolist() == expected
    after = {"subtract": [1, 0, 0, 0], "zero": [1, 0, 0, 0], "none": [1, 1, 1, 1]}[reset]
    assert neurons(drive(7, 0, 0, 0)).flatten().tolist() == after
    again = {"subtract": [1, 1, 0, 0], "zero": [1, 0, 0, 0], "none": [1, 1, 1, 1]}[reset]
    assert neurons(drive(7, 2, 0, 0)).flatten().tolist() == again


def test_levels_of_the_threshold() -> None:
    assert [threshold_level(bits) for bits in (4, 5, 6, 7, 8, 12, 16)] == [4, 8, 16, 32, 32, 256, 2048]


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_a_membrane_that_is_not_driven_ends_at_zero(bits: int) -> None:
    highest = 2 ** (bits - 1) - 1
    for beta in (0.5, 0.9, 255 / 256):
        neurons = IntegerIntegrator(1, LeakyIntegratorModel(beta))
        for start in (highest, -highest):
            levels = torch.zeros(3000)
            levels[0] = start
            assert float(neurons(drive(*levels.tolist(), step=1.0))[0, 0, -1]) == 0


@pytest.mark.parametrize("path", ["torch", "numba"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_fine_membranes_and_their_gradients_are_those_of_the_float_neuron(reset: str, path: str) -> None:
    """16 bits, a decay that is a whole number of 256ths, drives on the grid that saturate nothing."""
    model = LIFModel(0.75, 1.0, learnable="both", reset=reset, surrogate_alpha=3.0)  # type: ignore[arg-type]
    fine, plain = IntegerLIF(4, model, 16), LIF(4, 0.75, 1.0, learnable="both", reset=reset, surrogate_alpha=3.0)  # type: ignore[arg-type]
    step = 1.0 / fine.level
    generator = torch.Generator().manual_seed(0)
    current = (torch.randn(3, 4, 30, generator=generator) * 0.7 / step + 0.3 / step).round() * step
    weights = torch.randn(3, 4, 30, generator=generator)
    found = []
    with using_kernels(path):  # type: ignore[arg-type]
        for module in (fine, plain):
            leaf = current.clone().requires_grad_()
            out = module(OnGrid(leaf, torch.tensor(step))) if module is fine else plain(leaf)[0]
            (out * weights).sum().backward()
            assert module.beta.grad is not None
            found.append((out.detach(), leaf.grad, module.beta.grad))
    (spikes, grads, decay), (wanted, expected, of_beta) = found
    assert float((spikes != wanted).float().mean()) < 0.02
    assert float(spikes.mean()) > 0.1
    assert expected is not None
    torch.testing.assert_close(grads, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))
    assert float((decay - of_beta).abs() / of_beta.abs()) < 0.1


def test_an_integrator_and_its_gradients_are_those_of_the_float_one() -> None:
    model = LeakyIntegratorModel(0.75, learnable="beta")
    fine, plain = IntegerIntegrator(4, model), LeakyIntegrator(4, 0.75, "beta")
    current = torch.randn(3, 4, 30, generator=torch.Generator().manual_seed(0)).mul(512).round().div(512)
    leaf, other = current.clone().requires_grad_(), current.clone().requires_grad_()
    out, wanted = fine(OnGrid(leaf, torch.tensor(1 / 512))), plain(other)[0]
    torch.testing.assert_close(out, wanted, rtol=0, atol=4 / 512)
    out.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(leaf.grad, other.grad, rtol=0.02, atol=0.05)
    torch.testing.assert_close(fine.beta.grad, plain.beta.grad, rtol=0.02, atol=0.05)


def test_wide_membranes_follow_the_float_ones_and_narrow_ones_less() -> None:
    outputs = {}
    for form in ("w8a8", "w8a8s16", "w8a8s8", "w8a8s4"):
        model, _ = quantised("spiking_mlp", form, STREAM, {"hidden_1": 8, "hidden_2": 8})
        outputs[form] = predict(model, signals(STREAM, 32, 1))
    apart = [float((outputs[one] - outputs["w8a8"]).norm() / outputs["w8a8"].norm()) for one in list(outputs)[1:]]
    assert apart[0] < 0.08
    assert apart[0] < apart[1] < apart[2] < 1.0


def test_the_step_starts_at_the_threshold() -> None:
    model, _ = quantised("spiking_mlp", "w8a8s6", STREAM, {"hidden_1": 8, "hidden_2": 8})
    layers = [module for module in model.modules() if isinstance(module, IntegerNeurons)]
    assert [type(one.neurons) for one in layers] == [IntegerLIF, IntegerLIF, IntegerIntegrator]
    for layer in layers[:2]:
        assert isinstance(layer.neurons, IntegerLIF)
        step = float(layer.grid.act_quant.scale().detach())  # type: ignore[operator]
        assert step * layer.neurons.level == pytest.approx(float(layer.neurons.threshold), rel=1e-6)


@pytest.mark.parametrize("form", ["w8a8s8", "w4a4s4"])
def test_training_lowers_the_error_and_a_stored_student_is_the_same(form: str, tmp_path) -> None:
    def examples(seed: int, count: int) -> Examples:
        inputs = signals(STREAM, count, seed)
        recent = sum(0.5**lag * torch.nn.functional.pad(inputs, (lag, 0))[..., :40] for lag in range(4))
        return Examples(inputs, recent[:, :2].transpose(1, 2).contiguous())

    data, held = examples(4, 64), examples(5, 16)
    model, spec = quantised("spiking_mlp", form, STREAM, {"hidden_1": 16, "hidden_2": 16})
    training = spec.training.model_copy(update={"epochs": 6, "batch_size": 8, "learning_rate": 1e-2})
    spec = spec.model_copy(update={"training": training})

    def error() -> float:
        return float((predict(model, held.inputs) - held.targets).square().mean())

    before, steps = error(), [one.clipping.item() for one in model.modules() if isinstance(one, IntegerNeurons)]
    fit(model, data, held, spec)
    assert error() < 0.85 * before
    assert steps != [one.clipping.item() for one in model.modules() if isinstance(one, IntegerNeurons)]
    save_student(tmp_path / "student", model, spec, {})
    loaded, _ = load_student(tmp_path / "student")
    assert torch.equal(predict(loaded, held.inputs), predict(model, held.inputs))


def test_thresholds_that_are_not_learned_stay() -> None:
    fixed, learned = (
        integer_neurons(3, LIFModel(0.9, 1.0, learnable=what), 8) for what in ("beta", "both")  # type: ignore[arg-type]
    )
    assert isinstance(fixed, IntegerNeurons)
    assert isinstance(learned, IntegerNeurons)
    assert (fixed.clipping.requires_grad, learned.clipping.requires_grad) == (False, True)


def test_counts_by_hand() -> None:
    """8 and 8 neurons of 6 bits, 2 read-outs of 16, one step a decode."""
    model, spec = quantised("spiking_mlp", "w4a4s6", STREAM, {"hidden_1": 8, "hidden_2": 8})
    work = observe(model, signals(STREAM, 3), name="spikes", mode=mode(spec), step_rate_hz=20.0, input_bits=8)
    assert work.uncounted == ()
    neurons = [layer for layer in work.layers if layer.kind == "neuron"]
    assert [(one.state_elements, one.state_bits, one.output_bits) for one in neurons] == [
        (8, 6, 1), (8, 6, 1), (2, 16, 16)
    ]  # fmt: skip
    assert all(one.arithmetic == "integer" for one in work.layers)
    grids = {one.name: one for one in work.layers if one.name.endswith(".grid")}
    assert [one.operations["requantise"].mean for one in grids.values()] == [8, 8, 2]
    for one in neurons:
        leaks = sum(one.operations[what].mean for what in ("leak", "leak_shift") if what in one.operations)
        assert leaks == one.state_elements
        assert one.constant_bits >= 8


@pytest.mark.parametrize(("family", "form", "reason"), [
    ("spiking_mlp", "w4a4s3", "3 state bits"), ("spiking_mlp", "w4a4s17", "17 state bits"),
    ("gru", "w4a4s8", "has no neurons whose states"), ("mlp", "w4a4s8", "has no neurons whose states"),
])  # fmt: skip
def test_states_that_do_not_exist_are_refused(family: str, form: str, reason: str) -> None:
    with pytest.raises(StudentError, match=reason):
        build(StudentSpec(family=family, form=parse_form(form), shape=STREAM, seed=0))


def test_neurons_without_an_integer_membrane_are_refused() -> None:
    with pytest.raises(StudentError, match="MultiSpikeModel has no integer membrane"):
        integer_neurons(3, MultiSpikeModel(0.9, 1.0, 3, start=0.5), 8)
    with pytest.raises(StudentError, match="a fast sigmoid as surrogate"):
        integer_neurons(3, MultiSpikeModel(0.9, 1.0, 3, surrogate=Surrogate("fast sigmoid", 25.0)), 8)


def test_several_events_by_hand() -> None:
    """Five bits, at most 3: thresholds 15 // 4 = 3, 6 and 9, membranes within 15, decay 1/2. Drives 7, 4, 15, 0, 0.

    residue: 7 (two events), 7 - 6 = 1 leaks to 0, + 4 (one), 4 - 3 = 1 to 0, + 15 (three), 15 - 9 = 6 to 3, 3 to 1.
    subtract: 7 (two), 3 + 4 - 6 = 1 (none), 0 + 15 (three), 7 - 9 = -2, -1.
    zero: 7 (two), 0 + 4 (one), 0 + 15 (three), 0, 0. none: 7, 3 + 4 = 7, 3 + 15 held at 15, 7, 3: 2, 2, 3, 2, 0.
    """
    assert threshold_level(5, 3) == 3
    expected = {"residue": [2, 1, 3, 0, 0], "subtract": [2, 0, 3, 0, 0], "zero": [2, 1, 3, 0, 0],
                "none": [2, 2, 3, 2, 0]}  # fmt: skip
    for reset, events in expected.items():
        model = MultiSpikeModel(0.5, 1.0, 3, reset=reset)  # type: ignore[arg-type]
        assert IntegerLIF(1, model, 5)(drive(7, 4, 15, 0, 0)).flatten().tolist() == events, reset


def test_thresholds_and_decays_of_each_neuron() -> None:
    """Thresholds 1 and 0.4 of a grid whose level for 1 is 32: 32 and 13. Decays 1/2 and 1: 33 to 16 and 8, 13 stays."""
    neurons = IntegerLIF(2, LIFModel(0.5, 1.0, parameters="of each neuron", reset="none"), 8)
    with torch.no_grad():
        neurons.threshold[1] = 0.4
        neurons.beta[1] = 1.0
    assert neurons.levels().tolist() == [32, 13]
    levels = torch.tensor([[[33.0, 0.0, 25.0], [13.0, 0.0, 1.0]]])
    assert neurons(OnGrid(levels * 0.25, torch.tensor(0.25)))[0].tolist() == [[1, 0, 1], [0, 0, 1]]
    found = neurons.dynamics()
    assert found.threshold is not None
    assert (found.threshold.tolist(), found.decays[0].tolist()) == ([32, 13], [0.5, 1.0])


KINDS = {
    "counts, residue": MultiSpikeModel(0.75, 1.0, 5, learnable="both", reset="residue"),
    "counts, subtract": MultiSpikeModel(0.75, 1.0, 3, learnable="both", surrogate=Surrogate("sigmoid", 4.0)),
    "counts, zero": MultiSpikeModel(0.75, 1.0, 3, parameters="of each neuron", learnable="both", reset="zero"),
    "learned time constant": ParametricModel(4.0, 1.0, Surrogate("sigmoid", 4.0)),
}


@pytest.mark.parametrize("path", ["torch", "numba"])
@pytest.mark.parametrize("kind", KINDS)
def test_fine_membranes_of_other_neurons_and_their_gradients_are_those_in_float(kind: str, path: str) -> None:
    """16 bits, decays that are whole numbers of 256ths, drives on the grid: the same events, and gradients of drives.

    A neuron with a learned time constant has another threshold in place of a gain: gradients of currents are alike.
    """
    model = KINDS[kind]
    fine, plain = IntegerLIF(4, model, 16), model.make(4)
    step = float(fine.limit().detach().max()) / fine.level
    generator = torch.Generator().manual_seed(0)
    current = (torch.randn(3, 4, 30, generator=generator) * 2.0 / step + 0.5 / step).round() * step
    weights = torch.randn(3, 4, 30, generator=generator)
    found = []
    with using_kernels(path):  # type: ignore[arg-type]
        for integer in (True, False):
            given = current.clone().requires_grad_()
            events = fine(OnGrid(given, torch.tensor(step))) if integer else plain(given)[0]
            (events * weights).sum().backward()
            found.append((events.detach(), given.grad))
    (events, gradient), (expected, wanted) = found
    differing = int((events != expected).sum())
    assert differing <= 2, "rounding of a leak moves an event at the very threshold only"
    assert expected.sum() > 30
    assert gradient is not None
    assert wanted is not None
    scale = float(wanted.abs().max())
    assert (gradient - wanted).abs().median() < 1e-3 * scale


def test_a_delay_net_with_integer_membranes_trains_and_is_stored(tmp_path: Path) -> None:
    model, spec = quantised("spiking_delay", "w8a8s8", STREAM, {"hidden_1": 6, "hidden_2": 4, "lags": 3})
    examples = Examples(signals(STREAM, 8), torch.randn(8, 40, 2, generator=torch.Generator().manual_seed(1)))
    before = {name: one.clone() for name, one in model.named_parameters()}
    found = fit(model, examples, examples, spec)
    assert found.validation_loss == found.validation_loss
    changed = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert {"body.4.neurons.beta", "body.8.neurons.beta"} <= changed
    save_student(tmp_path / "student", model, spec, {})
    again, _ = load_student(tmp_path / "student")
    assert torch.equal(predict(again, examples.inputs), predict(model, examples.inputs))
    work = observe(model, examples.inputs, name="n", mode="stream", step_rate_hz=20.0, input_bits=8)
    neurons = [one for one in work.layers if one.kind == "neuron"]
    assert [one.state_bits for one in neurons] == [8, 8, 16]
    assert neurons[0].output_units is not None
    assert neurons[0].output_units.total > neurons[0].output_events.total
