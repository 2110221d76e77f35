"""Brevitas networks beyond plain products: user code, recurrent layers, attention, tables, streams, what is listed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int32Bias,
)
from counting_oracle import Sites, accumulator_width, convolution, linear
from test_observe_brevitas import CASES, Network, codes_of, complete, settled, steps
from test_observe_products import added, seen, sites
from torch import Tensor, nn

from energy_models.errors import StudentError


class Functional(nn.Module):
    """Quantised tensors through user code: pad, pool, join, sum, flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = qnn.QuantIdentity(bit_width=4, return_quant_tensor=True)
        self.conv = qnn.QuantConv1d(2, 3, 3, bias=True, bias_quant=Int32Bias, weight_bit_width=4)
        self.sum = qnn.QuantLinear(10, 2, bias=False, weight_bit_width=4)

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        code = self.grid(signal)
        padded = nn.functional.pad(code, (2, 0))
        largest = nn.functional.max_pool1d(code, 2)
        twice = torch.cat([largest, largest], dim=1)
        both = twice + torch.cat([largest, largest], dim=1)
        return self.conv(padded), self.sum(torch.flatten(both, 2))


def test_quantised_tensors_through_user_code_keep_their_grid() -> None:
    torch.manual_seed(5)
    model, examples = settled(Functional(), torch.randn(4, 2, 20)), torch.randn(3, 2, 20)
    work = complete(model, examples)
    codes = codes_of(model, ("grid",), examples)["grid"]
    conv, total = model.get_submodule("conv"), model.get_submodule("sum")
    true = [convolution(one, steps(conv.quant_weight()), (1,), (1,), ((2, 0),), 1) for one in steps(codes)]  # type: ignore[operator]
    assert sites(work["conv"]) == added([one.as_tuple() for one in true])
    largest = steps(codes).reshape(3, 2, 10, 2).max(3)
    doubled = 2 * np.concatenate([largest, largest], axis=1)
    summed = [linear(one, steps(total.quant_weight())) for one in doubled]  # type: ignore[operator]
    assert sites(work["sum"]) == added([one.as_tuple() for one in summed])
    # Twice -8..7 is -16..14: five bits.
    assert work["sum"].activation_bits == 5
    assert work["sum"].accumulator_bits == accumulator_width(steps(total.quant_weight()), None, range(-16, 15))  # type: ignore[operator]


def test_a_table_holds_every_code_of_an_integer_function() -> None:
    model = nn.Sequential(
        qnn.QuantIdentity(bit_width=5),
        qnn.QuantSigmoid(bit_width=6),
        qnn.QuantLinear(4, 4, bias=False),
        qnn.QuantTanh(),
    )
    work = complete(settled(model, torch.randn(8, 4)), torch.randn(2, 4))
    assert (work["1"].constants, work["1"].constant_bits) == (2**5, 6)
    assert {name: count.mean for name, count in work["1"].operations.items()} == {"lookup": 4.0}
    # An accumulator of 6 x 8 bits is compared with the 255 numbers at which its 8-bit tanh changes: 8 times each.
    assert {name: count.mean for name, count in work["3"].operations.items()} == {"compare": 4 * 8.0}
    assert (work["3"].constants, work["3"].constant_bits) == (2**8 - 1, work["2"].accumulator_bits)


@pytest.mark.parametrize("kind", [qnn.QuantRNN, qnn.QuantLSTM])
@pytest.mark.parametrize("ran_before", ["fresh", "run"])
def test_recurrent_layers_count_every_gate_of_every_step(kind: Any, ran_before: str) -> None:
    torch.manual_seed(6)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = kind(3, 4, batch_first=True)

        def forward(self, signal: Tensor) -> Tensor:
            return self.cell(signal.transpose(1, 2))[0]

    model = Decoder().eval()
    if ran_before == "run":
        model(torch.randn(1, 3, 5))
    work = complete(model, torch.randn(2, 3, 5))
    gates = 4 if kind is qnn.QuantLSTM else 1
    fed = [layer for layer in work.values() if layer.products]
    # Five steps, each gate with 4 x 3 weights on the input and 4 x 4 on the state, the first state's zeros included.
    assert sum(layer.products.dense_full.mean for layer in fed) == 5 * gates * (12 + 16)
    assert {(layer.arithmetic, layer.weight_bits, layer.activation_bits) for layer in fed} == {("integer", 8, 8)}
    assert sum(layer.weights for layer in fed) == gates * (12 + 16)
    ends = {layer.name.rsplit(".", 1)[-1] for layer in fed}
    assert ends == {"input_weight", "hidden_weight"}
    state = [layer for layer in work.values() if layer.state_elements]
    assert [(one.state_elements, one.state_bits, one.state_reads) for one in state] == [(4, 8, 20)] * len(state)
    assert len(state) == (2 if kind is qnn.QuantLSTM else 1)
    assert sum(layer.biases for layer in work.values()) == gates * 4


def test_attention_between_grids_is_integer() -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = qnn.QuantMultiheadAttention(8, 2, packed_in_proj=True)

        def forward(self, signal: Tensor) -> Tensor:
            steps_first = signal.permute(2, 0, 1)
            return self.attention(steps_first, steps_first, steps_first, need_weights=False)[0]

    work = complete(settled(Decoder(), torch.randn(4, 8, 5)), torch.randn(2, 8, 5))
    scores = [layer for layer in work.values() if layer.kind == "attention"]
    # Two heads of four: 5 x 5 scores of four products, and 5 x 4 values of five.
    assert [layer.products.dense_full.mean for layer in scores] == [2 * 25 * 4, 2 * 20 * 5]
    # Four products of codes -128..127: 4 x 128 x 128 = 2^16, 18 bits; five of 0..255 by -128..127: 5 x 255 x 128, 19.
    assert [(layer.arithmetic, layer.accumulator_bits) for layer in scores] == [("integer", 18), ("integer", 19)]


def test_transposed_convolutions_keep_their_integers() -> None:
    torch.manual_seed(9)
    layer = qnn.QuantConvTranspose1d(4, 6, 3, groups=2, bias=False, weight_bit_width=4)
    model = settled(nn.Sequential(qnn.QuantIdentity(bit_width=5), layer), torch.randn(4, 4, 7))
    work = complete(model, torch.randn(2, 4, 7))["1"]
    integers = steps(layer.quant_weight())  # (inputs, outputs of a group, taps): outputs 0..2 of inputs 0 and 1
    rows = np.stack([integers[2 * group : 2 * group + 2, output] for group in range(2) for output in range(3)])
    assert work.accumulator_bits == accumulator_width(rows, None, range(-16, 16))
    assert (work.arithmetic, work.weight_bits, work.activation_bits) == ("integer", 4, 5)
    # Seven steps of four inputs, each on three outputs of its group and three taps.
    assert work.products.dense_full.mean == 7 * 4 * 3 * 3


def test_a_quantised_table_has_its_bits_and_its_rows_a_grid() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = qnn.QuantEmbedding(8, 4, weight_bit_width=4)
            self.linear = qnn.QuantLinear(4, 2, bias=False, weight_bit_width=4)

        def forward(self, signal: Tensor) -> Tensor:
            return self.linear(self.table(signal.argmax(1)))

    work = complete(Reader().eval(), torch.randn(2, 8))
    assert (work["table"].weights, work["table"].weight_bits) == (32, 4)
    assert (work["linear"].arithmetic, work["linear"].activation_bits) == ("integer", 4)


class Streamed(nn.Module):
    """Causal convolution, ReLU, LSTM, linear, a step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = qnn.QuantIdentity(bit_width=6, return_quant_tensor=True)
        self.conv = qnn.QuantConv1d(3, 4, 3, bias=True, weight_bit_width=4)
        self.relu = qnn.QuantReLU(bit_width=4)
        self.cell = qnn.QuantLSTM(4, 5, batch_first=True)
        self.linear = qnn.QuantLinear(5, 2, bias=False)

    def forward(self, signal: Tensor) -> Tensor:
        filtered = self.relu(self.conv(nn.functional.pad(self.grid(signal), (2, 0))))
        return self.linear(self.cell(filtered.transpose(1, 2))[0]).transpose(1, 2)


def test_a_stream_does_a_step_of_the_window() -> None:
    torch.manual_seed(7)
    model, steps_given = settled(Streamed(), torch.randn(4, 3, 9)), 9
    examples = torch.randn(2, 3, steps_given)
    window, stream = complete(model, examples), complete(model, examples, mode="stream")
    assert window.keys() == stream.keys()
    for name, whole in window.items():
        each = stream[name]
        assert (each.weight_bits, each.activation_bits, each.accumulator_bits) == (
            whole.weight_bits, whole.activation_bits, whole.accumulator_bits,
        )
        assert {what: count.total for what, count in each.operations.items()} == {
            what: count.total for what, count in whole.operations.items()
        }, name
        if whole.products:
            assert sites(each)[2:] == sites(whole)[2:], name
        if whole.state_reads:
            assert each.state_reads * steps_given == whole.state_reads
    # Ring buffer of the convolution: the last two steps of three channels, on their grid.
    assert (stream["conv"].state_elements, stream["conv"].state_bits) == (6, 6)
    assert stream["linear"].products.dense_full.mean == 10


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_surrounding_gradient_mode_changes_nothing(context: Any) -> None:
    torch.manual_seed(8)
    model, examples = settled(Network(CASES["mixed"]), torch.randn(8, 2, 6, 6)), torch.randn(2, 2, 6, 6)
    expected = seen(model, examples).layers
    with context():
        assert seen(model, examples).layers == expected


def test_a_sum_of_signals_on_different_grids_requantises_one() -> None:
    class Residual(nn.Module):
        def __init__(self, scales: tuple[float, float]) -> None:
            super().__init__()
            fixed = {"scaling_impl_type": "const", "bit_width": 4}
            self.left, self.right = (qnn.QuantIdentity(scaling_init=scale, **fixed) for scale in scales)
            self.linear = qnn.QuantLinear(4, 2, bias=False)

        def forward(self, signal: Tensor) -> Tensor:
            return self.linear(self.left(signal) + self.right(signal))

    same, apart = (complete(Residual(scales).eval(), torch.randn(2, 4)) for scales in ((1.0, 1.0), (1.0, 1.5)))
    assert {what: count.mean for what, count in same["add"].operations.items()} == {"add": 4.0}
    assert {what: count.mean for what, count in apart["add"].operations.items()} == {"add": 4.0, "requantise": 4.0}
    # On one grid -8..7 and -8..7 are -16..14, five bits; on two there is no common integer, and the product is float.
    assert (same["linear"].arithmetic, same["linear"].activation_bits) == ("integer", 5)
    assert apart["linear"].arithmetic == "float"


def test_minifloat_weights_are_listed() -> None:
    from brevitas.quant.float_quant_ocp import Fp8e4m3OCPWeightPerTensorFloat

    model = nn.Sequential(qnn.QuantLinear(4, 3, bias=False, weight_quant=Fp8e4m3OCPWeightPerTensorFloat)).eval()
    assert [gap.operation for gap in seen(model, torch.randn(2, 4)).uncounted] == ["quantised weights"]


def test_what_has_no_grid_is_listed() -> None:
    per_channel = Int8ActPerTensorFloat.let(
        scaling_per_output_channel=True, per_channel_broadcastable_shape=(1, 4), scaling_stats_permute_dims=(1, 0)
    )
    model = settled(nn.Sequential(qnn.QuantIdentity(per_channel)), torch.randn(8, 4))
    gaps = seen(model, torch.randn(2, 4)).uncounted
    assert [(gap.operation, "one scale per channel" in gap.reason) for gap in gaps] == [("quantise", True)]


def test_weights_without_levels_are_refused() -> None:
    model = nn.Sequential(qnn.QuantLinear(4, 2, bias=False, weight_bit_width=1)).eval()
    with pytest.raises(StudentError, match="not finite"):
        seen(model, torch.randn(2, 4))


def test_brevitas_is_not_loaded_for_a_model_without_it() -> None:
    code = (
        "import sys, torch\n"
        "from students.counting import observe\n"
        "options = {'name': 'x', 'mode': 'window', 'step_rate_hz': 1.0, 'input_bits': 8}\n"
        "observe(torch.nn.Linear(3, 2), torch.randn(2, 3), **options)\n"
        "print('brevitas' in sys.modules)\n"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert result.stdout.strip() == "False", result.stderr


def test_reading_a_network_leaves_brevitas_settings_alone() -> None:
    code = (
        "import torch, brevitas.nn as qnn\n"
        "from students.counting import observe\n"
        "from brevitas import config\n"
        "before = config.REINIT_ON_STATE_DICT_LOAD\n"
        "model = qnn.QuantLinear(3, 2, bias=False)\n"
        "options = {'name': 'x', 'mode': 'window', 'step_rate_hz': 1.0, 'input_bits': 8}\n"
        "work = observe(model, torch.randn(2, 3), **options)\n"
        "print(work.layers[0].weight_bits, config.REINIT_ON_STATE_DICT_LOAD == before)\n"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert result.stdout.strip() == "8 True", result.stderr


def test_oracle_of_sign_adds() -> None:
    true = Sites()
    true.see(3.0, 1.0)
    true.see(0.0, -1.0)
    assert true.signed().as_tuple() == ((0, 2), (0, 2), (0, 1), (0, 1))
