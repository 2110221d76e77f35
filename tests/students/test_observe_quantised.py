"""Quantised students: true widths, zeros after quantisation, codes decide which products need a multiplier."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from counting_oracle import accumulator_width, convolution, linear
from test_observe_products import added, seen, sites
from torch import nn

from students.families import family_names
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.neurons import RECURRENT_NEURONS
from students.quantize import quantisation_of, value_of
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.rows import IntegerMatMul
from students.spec import Float32, Form, Quantised, Shape, StudentSpec

FAMILIES = (
    "eegnet", "shallow", "mlp", "gru", "lstm", "conformer", "spiking_mlp", "spiking_conv", "spiking_delay", "plif_conv",
    "snn_streaming", "spiking_recurrent", "snn_3d", "tinyrsnn", "spiking_eegnet", "ssvep_dnn", "mic", "eegtcnet",
    "ind", "clip_conformer",
)  # fmt: skip

PARTLY_FLOAT = ("ind", "clip_conformer", "conformer", "snn_3d", "snn_streaming")
"""The first three have float forms only; the last one's code compares its input before anything is quantised."""

STREAMS_ONLY = ("snn_3d",)

FLOAT = [
    *((family, "classification") for family in FAMILIES if family not in STREAMS_ONLY),
    *((family, "regression") for family in ("snn_3d", "mlp", "gru", "lstm", "spiking_mlp", "spiking_delay")),
]
INTEGER = [
    *((family, "classification") for family in FAMILIES if family not in PARTLY_FLOAT),
    *((family, "regression") for family in ("mlp", "gru", "lstm", "spiking_mlp", "spiking_delay")),
]


def spec_of(family: str, form: Form, task: str = "classification") -> StudentSpec:
    shape = Shape(task=task, channels=4, steps=64, outputs=2, step_rate_hz=64.0)  # type: ignore[arg-type]
    return StudentSpec(family=family, shape=shape, form=form, seed=0)


def quantised(family: str, weight_bits: int, activation_bits: int, task: str = "classification") -> torch.nn.Module:
    spec = spec_of(family, Quantised(weight=weight_bits, activation_bits=activation_bits), task)
    floating = build(spec.model_copy(update={"form": Float32()}))
    return quantised_from_float(spec, floating, torch.randn(16, 4, 64, generator=torch.Generator().manual_seed(0)))


def test_shipped_families_are_the_ones_tested() -> None:
    assert set(FAMILIES) == set(family_names())


@pytest.mark.parametrize(("family", "task"), FLOAT)
def test_nothing_in_our_own_float_students_is_uncounted(family: str, task: str) -> None:
    assert_all_is_counted(family, None, task)


@pytest.mark.parametrize(("family", "task"), INTEGER)
@pytest.mark.parametrize("bits", [(8, 8), (2, 4)])
def test_nothing_in_our_own_integer_students_is_uncounted(family: str, task: str, bits: tuple[int, int]) -> None:
    assert_all_is_counted(family, bits, task)


def assert_all_is_counted(family: str, bits: tuple[int, int] | None, task: str) -> None:
    spec = spec_of(family, Float32(), task)
    model = build(spec) if bits is None else quantised(family, *bits, task)
    found = seen(model, torch.randn(2, 4, 64), mode=mode(spec))
    assert found.uncounted == ()
    assert sum(layer.products.dense_full.total for layer in found.layers if layer.products) > 0
    if bits is not None:
        assert {layer.arithmetic for layer in found.layers} == {"integer"}


def test_integer_widths_by_layer() -> None:
    found = seen(quantised("eegnet", 4, 4), torch.randn(2, 4, 64), input_bits=8)
    products = [layer for layer in found.layers if layer.products]
    assert [layer.weight_bits for layer in products] == [4, 4, 4, 4, 4]
    assert [layer.activation_bits for layer in products] == [8, 4, 4, 4, 4]
    # What leaves a product is as wide as the grid it is put on next; the last one leaves its accumulator.
    assert [layer.output_bits for layer in products[:-1]] == [4, 4, 4, 4]
    assert products[-1].output_bits == products[-1].accumulator_bits
    # One multiplier a channel where a norm folded or the weights have a scale per channel, else one a layer.
    constants = {layer.name: layer.constants for layer in found.layers if layer.constants}
    assert constants == {"0": 1, "2": 16, "5": 16, "6.grid": 1, "9": 16, "12": 16, "13.grid": 1}
    assert {layer.constant_bits for layer in found.layers if layer.constants} == {32}
    stored = sum(x.weights * x.weight_bits + x.biases * x.bias_bits for x in products)
    assert found.weight_bits_total == stored + 32 * sum(constants.values())


def test_zeros_and_codes_are_those_after_quantisation() -> None:
    model = quantised("eegnet", 2, 4)
    x = torch.randn(3, 4, 64, generator=torch.Generator().manual_seed(1))
    found = seen(model, x)
    # The depthwise layer in full: its integer input from a hook, its integer weights from the accessor.
    layer, caught = model[3], []
    handle = layer.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    with torch.no_grad():
        model.eval()(x)
    handle.remove()
    integers = quantisation_of(layer)
    codes = (caught[0].value / caught[0].scale).round().numpy()
    true = [
        convolution(one, integers.weights.numpy(), (1,), (1,), (layer.pads,), layer.groups).signed().as_tuple()
        for one in codes
    ]
    work = next(one for one in found.layers if one.name == "3")
    assert sites(work) == added(true)
    assert work.weight_form == "ternary"
    assert work.weights_nonzero == int((integers.weights != 0).sum()) < work.weights
    assert work.products.effective.total < work.products.effective_input.total < work.products.dense_valid.total


@pytest.mark.parametrize(("family", "task"), INTEGER)
def test_every_product_of_an_integer_student_is_counted_on_its_codes(family: str, task: str) -> None:
    """Inputs from hooks, weights from the accessor, every multiplication one by one, accumulators by their bounds."""
    model = quantised(family, 4, 3, task).eval()
    x = 2 * torch.rand(1, 4, 64, generator=torch.Generator().manual_seed(1)) - 0.5
    found = {layer.name: layer for layer in seen(model, x).layers}
    products = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv1d | nn.Linear)}
    of_signals = {name for name, module in model.named_modules() if isinstance(module, IntegerMatMul)}
    assert products.keys() | of_signals == {name for name, layer in found.items() if layer.products}
    assert {found[name].kind for name in of_signals} <= {"attention"}
    caught: dict[str, Any] = {}
    for name, module in products.items():
        module.register_forward_pre_hook(lambda _, args, name=name: caught.update({name: args[0]}))
    for name, module in model.named_modules():
        if isinstance(module, IntegerRecurrent):  # its steps read the recurrent weights, no module is called
            module.register_forward_hook(
                lambda one, _, states, name=f"{name}.hidden": caught.update({name: one.operands(states).mT})
            )
        if isinstance(module, RECURRENT_NEURONS):
            module.register_forward_hook(
                lambda one, _, found, name=f"{name}.recurrent": caught.update({name: one.heard(found[0]).mT})
            )
    with torch.no_grad():
        model(x)
    for name, module in products.items():
        integers, grid = quantisation_of(module), quantisation_of(module).input_grid
        codes = (value_of(caught[name]) / grid.scale).round()[0].numpy()
        weights = integers.weights.numpy()
        if isinstance(module, nn.Linear):
            true = linear(codes, weights)
        else:
            true = convolution(codes, weights, module.stride, module.dilation, (module.pads,), module.groups)
        assert sites(found[name]) == true.as_tuple(), name
        assert found[name].activation_bits == grid.bits
        top = 2 ** (grid.bits - grid.signed) - 1
        bias = None if integers.bias is None else integers.bias.numpy()
        true_width = accumulator_width(weights, bias, range(-top if grid.signed else 0, top + 1))
        assert found[name].accumulator_bits == true_width, name


def test_accumulator_holds_the_largest_possible_sum_and_no_more() -> None:
    model, x = quantised("mlp", 4, 4), torch.randn(2, 4, 64)
    work = {layer.name: layer for layer in seen(model, x).layers}
    model.eval()(x)
    weights = quantisation_of(model[6]).weights
    # Unsigned 4-bit inputs: 15 where the weight is positive and 0 elsewhere, and the other way round.
    highest, lowest = 15 * int(weights.clamp(min=0).sum(1).max()), 15 * int(weights.clamp(max=0).sum(1).min())
    width = work["6"].accumulator_bits
    assert -(2 ** (width - 1)) <= lowest
    assert highest <= 2 ** (width - 1) - 1
    assert lowest < -(2 ** (width - 2)) or highest > 2 ** (width - 2) - 1
    assert work["6"].reduction * 15 * 7 > 2 ** (width - 1)  # narrower than the worst case of any 4-bit weights


def test_integer_neurons_see_accumulators_and_keep_a_wide_membrane() -> None:
    work = {layer.name: layer for layer in seen(quantised("spiking_conv", 4, 4), torch.randn(2, 4, 64)).layers}
    neurons = next(layer for layer in work.values() if layer.kind == "neuron")
    assert (neurons.arithmetic, neurons.state_bits, neurons.output_bits) == ("integer", 32, 1)
    assert neurons.activation_bits < 32
