"""Networks made of Brevitas' own layers: codes, zeros, widths and sites against integer loops in numpy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from counting_oracle import accumulator_width, convolution, linear
from test_observe_products import added, seen, sites
from torch import Tensor, nn

from energy_models.workload import LayerWork


@dataclass(frozen=True)
class Case:
    """Bits of two products and the signals before them, and the quantisers they are made by."""

    weight_bits: tuple[int, int, int]
    signal_bits: tuple[int, int, int]
    weights: Any = Int8WeightPerTensorFloat
    signals: Any = Uint8ActPerTensorFloat
    first: Any = Int8ActPerTensorFloat
    bias: Any = None
    handed_on: bool = False


CASES = {
    "w4a4": Case((4, 4, 4), (4, 4, 4)),
    "w8a8 per channel, integer bias": Case(
        (8, 8, 8), (8, 8, 8), Int8WeightPerChannelFloat, bias=Int32Bias, handed_on=True
    ),
    "mixed": Case((8, 3, 6), (8, 2, 5), Int8WeightPerChannelFloat, handed_on=True),
    "powers of two": Case((4, 4, 8), (8, 4, 4), Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint),
    "zero points": Case(
        (4, 4, 4), (8, 4, 4), signals=ShiftedUint8ActPerTensorFloat, first=ShiftedUint8ActPerTensorFloat
    ),
    "weights with a zero point": Case((4, 4, 4), (8, 4, 4), ShiftedUint8WeightPerTensorFloat),
}


class Network(nn.Module):
    """Conv, norm, ReLU, average, depthwise conv, ReLU, linear."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        (a, b, c), hand, settings = case.weight_bits, case.handed_on, {"weight_quant": case.weights}
        self.grid = qnn.QuantIdentity(case.first, bit_width=case.signal_bits[0], return_quant_tensor=hand)
        self.conv = qnn.QuantConv2d(2, 3, 3, padding=1, bias_quant=case.bias, weight_bit_width=a, **settings)
        self.norm = nn.BatchNorm2d(3)
        self.relu = qnn.QuantReLU(case.signals, bit_width=case.signal_bits[1], return_quant_tensor=hand)
        self.pool = nn.AvgPool2d(2)
        self.deep = qnn.QuantConv2d(3, 3, (2, 1), groups=3, bias=False, weight_bit_width=b, **settings)
        self.last_relu = qnn.QuantReLU(case.signals, bit_width=case.signal_bits[2], return_quant_tensor=hand)
        self.linear = qnn.QuantLinear(18, 2, bias=True, bias_quant=case.bias, weight_bit_width=c, **settings)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.pool(self.relu(self.norm(self.conv(self.grid(signal)))))
        return self.linear(torch.flatten(self.last_relu(self.deep(signal)), 1))


def settled(model: nn.Module, signal: Tensor) -> nn.Module:
    """Let the quantisers see a signal once, so that their scales fit it."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        model.train()(signal)
    return model.eval()


def codes_of(model: nn.Module, names: tuple[str, ...], signal: Tensor) -> dict[str, Any]:
    """Return the integer tensors that the named layers' quantisers put out."""
    caught: dict[str, Any] = {}
    for name in names:
        quantiser = model.get_submodule(f"{name}.act_quant")
        quantiser.register_forward_hook(lambda _m, _i, out, name=name: caught.update({name: out}))
    with torch.no_grad():
        model(signal)
    return caught


def steps(tensor: Any) -> np.ndarray:
    """Return codes minus their zero point."""
    return (tensor.int().to(torch.int64) - tensor.zero_point.round().to(torch.int64)).numpy()


def code_range(tensor: Any) -> range:
    """Return every code a signal's format allows, minus the zero point."""
    bits, zero = int(tensor.bit_width), int(tensor.zero_point.round())
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if tensor.signed else (0, 2**bits - 1)
    return range(low - zero, high - zero + 1)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_network_is_counted_on_its_integers(case: Case) -> None:
    torch.manual_seed(1)
    model = settled(Network(case), torch.randn(8, 2, 6, 6))
    examples = torch.randn(3, 2, 6, 6)
    work = {layer.name: layer for layer in seen(model, examples, input_bits=16).layers}
    assert {layer.arithmetic for layer in work.values()} == {"integer"}
    codes = codes_of(model, ("grid", "relu", "last_relu"), examples)
    # The average is the sum of four codes: a quarter is a matter of the scale.
    pooled = steps(codes["relu"]).reshape(3, 3, 3, 2, 3, 2).sum((3, 5))
    inputs = {"conv": steps(codes["grid"]), "deep": pooled, "linear": steps(codes["last_relu"]).reshape(3, -1)}
    wide = range(4 * code_range(codes["relu"])[0], 4 * code_range(codes["relu"])[-1] + 1)
    ranges = {"conv": code_range(codes["grid"]), "deep": wide, "linear": code_range(codes["last_relu"])}
    steps_in = {"conv": codes["grid"].scale, "deep": codes["relu"].scale / 4, "linear": codes["last_relu"].scale}
    for name, bits in zip(inputs, case.weight_bits, strict=True):
        layer: Any = model.get_submodule(name)
        weight = layer.quant_weight()
        integers, scale = steps(weight), (weight.scale * steps_in[name]).detach().flatten().double()
        if name == "linear":
            true = [linear(one, integers) for one in inputs[name]]
        else:
            pads = ((1, 1), (1, 1)) if name == "conv" else ((0, 0), (0, 0))
            true = [convolution(one, integers, (1, 1), (1, 1), pads, layer.groups) for one in inputs[name]]
        assert sites(work[name]) == added([one.as_tuple() for one in true]), name
        bias = None if layer.bias is None else (layer.bias.detach().double() / scale).round().numpy()
        assert work[name].accumulator_bits == accumulator_width(integers, bias, ranges[name]), name
        assert (work[name].weight_bits, work[name].weight_form) == (bits, "graded")
        assert work[name].weights_nonzero == np.count_nonzero(integers)
        assert work[name].bias_bits == (0 if layer.bias is None and name != "conv" else 32)
    assert work["conv"].activation_bits == case.signal_bits[0]
    assert work["linear"].activation_bits == case.signal_bits[2]
    assert (work["conv"].output_bits, work["deep"].output_bits) == case.signal_bits[1:]
    per_channel = case.weights is Int8WeightPerChannelFloat
    # A multiplier per channel after the folded norm, and where weights have scales per channel.
    assert [work[name].constants for name in ("grid", "relu", "last_relu")] == [1, 3, 3 if per_channel else 1]


def test_integers_reproduce_the_network() -> None:
    """What is counted is what runs: accumulators times scales are the layers' outputs."""
    torch.manual_seed(2)
    case = CASES["w8a8 per channel, integer bias"]
    model = settled(Network(case), torch.randn(8, 2, 6, 6))
    examples, out = torch.randn(2, 2, 6, 6), {}
    model.get_submodule("linear").register_forward_hook(lambda _m, _i, result: out.update(y=result))
    code = codes_of(model, ("last_relu",), examples)["last_relu"]
    layer: Any = model.get_submodule("linear")
    weight = layer.quant_weight()
    step = (weight.scale * code.scale).detach().flatten()
    sums = steps(code).reshape(2, -1) @ steps(weight).T + (layer.bias.detach() / step).round().numpy()
    np.testing.assert_allclose(sums * step.numpy(), out["y"].detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_batches_change_nothing(case: Case) -> None:
    torch.manual_seed(3)
    model, examples = settled(Network(case), torch.randn(8, 2, 6, 6)), torch.randn(4, 2, 6, 6)
    assert seen(model, examples).layers == seen(model, examples, batch_size=1).layers


def complete(model: nn.Module, examples: Tensor, **options: object) -> dict[str, LayerWork]:
    """Return the layers by name of a model that is counted in full."""
    found = seen(model, examples, **options)
    assert found.uncounted == ()
    return {layer.name: layer for layer in found.layers}


def test_packed_bytes_hand_worked() -> None:
    """A perceptron of 140 numbers, 560 bytes in float, that a peer books with 632 bytes at two bits.

    12 x 8 + 8 x 4 = 128 weights of 2 bits are 24 + 8 bytes, 8 + 4 biases of 32 bits 32 + 16: 80 bytes. Two grids hold a
    word of requantisation each: 88. Without biases 40.
    """
    for bias, expected in ((True, 88), (False, 40)):
        model = nn.Sequential(
            qnn.QuantIdentity(bit_width=8),
            qnn.QuantLinear(12, 8, bias=bias, weight_bit_width=2),
            qnn.QuantReLU(bit_width=2),
            qnn.QuantLinear(8, 4, bias=bias, weight_bit_width=2),
        )
        settled(model, torch.randn(8, 12))
        assert seen(model, torch.randn(2, 12)).packed_bytes == expected


def test_accumulator_is_attained_hand_worked() -> None:
    """Weights 3, -2, 7 and bias 5 on codes 0..15: greatest 5 + 10 x 15 = 155, least 5 - 2 x 15 = -25: 9 bits.

    The symmetric bound sum |w| x 15 + 5 = 185 has the same width; weights 1, -2, 7 and bias 5 give 125 and 8 bits, the
    symmetric bound 155 nine. Scales are one: the largest weight is 7, and the grid of the input goes to 15.
    """
    for weights, least, greatest, width in (((3.0, -2.0, 7.0), -25, 155, 9), ((1.0, -2.0, 7.0), -25, 125, 8)):
        grid = qnn.QuantIdentity(Uint8ActPerTensorFloat, bit_width=4, scaling_impl_type="const", scaling_init=15.0)
        layer = qnn.QuantLinear(3, 1, bias=True, weight_bit_width=4)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([weights]))
            layer.bias.fill_(5.0)
        model = nn.Sequential(grid, layer).eval()
        worst = torch.tensor([[15.0 * (w > 0) for w in weights], [15.0 * (w < 0) for w in weights]])
        with torch.no_grad():
            assert model(worst).flatten().tolist() == [greatest, least]
        assert complete(model, worst)["1"].accumulator_bits == width


@pytest.mark.parametrize(
    ("quantiser", "bits", "form"),
    [
        (SignedBinaryWeightPerTensorConst, 1, "binary"),
        (SignedTernaryWeightPerTensorConst, 2, "ternary"),
        (Int8WeightPerTensorFloat.let(bit_width=2), 2, "ternary"),
        (Int8WeightPerTensorFloat.let(bit_width=2, narrow_range=False), 2, "graded"),
        (Int8WeightPerTensorFloat.let(bit_width=3), 3, "graded"),
    ],
)
def test_binary_and_ternary_weights_are_sign_adds(quantiser: Any, bits: int, form: str) -> None:
    torch.manual_seed(4)
    grid = qnn.QuantIdentity(bit_width=4)
    model = settled(nn.Sequential(grid, qnn.QuantLinear(9, 5, bias=False, weight_quant=quantiser)), torch.randn(8, 9))
    examples = torch.randn(3, 9)
    work = complete(model, examples)["1"]
    layer: Any = model[1]
    weight = layer.quant_weight()
    integers = (weight.value / weight.scale).round().detach().numpy()
    true = [linear(one, integers) for one in steps(codes_of(model, ("0",), examples)["0"])]
    true = [one if form == "graded" else one.signed() for one in true]
    assert sites(work) == added([one.as_tuple() for one in true])
    assert (work.weight_form, work.weight_bits, work.arithmetic) == (form, bits, "integer")
    assert set(np.unique(integers)) == {"binary": {-1, 1}, "ternary": {-1, 0, 1}}.get(form, set(np.unique(integers)))


def test_binary_weights_on_float_signals_add_floats_and_scale_once() -> None:
    model = nn.Sequential(qnn.QuantLinear(6, 4, bias=True, weight_quant=SignedBinaryWeightPerTensorConst)).eval()
    work = complete(model, torch.randn(2, 6))["0"]
    assert (work.arithmetic, work.weight_bits, work.activation_bits, work.accumulator_bits) == ("float", 1, 32, 32)
    assert sites(work)[0] == (0, 2 * 24)
    # Per decode four sums, each scaled and given a bias.
    assert {name: count.mean for name, count in work.operations.items()} == {"multiply": 4.0, "add": 4.0}


def test_integer_weights_on_float_signals_are_stored_as_integers() -> None:
    model = nn.Sequential(qnn.QuantLinear(6, 4, bias=False, weight_bit_width=4)).eval()
    work = complete(model, torch.randn(2, 6))["0"]
    assert (work.arithmetic, work.weight_bits, work.activation_bits, work.weight_form) == ("float", 4, 32, "graded")
    assert work.products.dense_full.multiply_accumulate.mean == 24


def test_binary_signals_have_no_zero_and_no_multiplier() -> None:
    model = nn.Sequential(
        qnn.QuantIdentity(SignedBinaryActPerTensorConst), qnn.QuantLinear(6, 4, bias=False, weight_bit_width=4)
    ).eval()
    work = complete(model, torch.randn(2, 6))
    assert sites(work["1"])[:3] == ((0, 48),) * 3
    integers = steps(model[1].quant_weight())  # type: ignore[operator]
    assert work["1"].accumulator_bits == accumulator_width(integers, None, range(-1, 2))
    assert (work["0"].output_bits, work["1"].activation_bits) == (1, 1)
