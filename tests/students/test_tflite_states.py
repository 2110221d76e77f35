"""TensorFlow Lite: transposed convolutions, SVDF and LSTM layers in integers, against their definitions in loops."""

import numpy as np
import pytest
import torch

from energy_models.workload import Workload
from students.counting import observe
from students.interchange import as_stream, read_network

pytest.importorskip("tflite", reason="the extra tflite is not installed")
from tflite_files import Flat

SAME, TANH = 0, 4
RANDOM = np.random.default_rng(1)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def codes(*shape: int) -> np.ndarray:
    return RANDOM.integers(-100, 100, size=shape).astype(np.int8)


def counted(network, signal: torch.Tensor, mode="window") -> Workload:
    found = observe(network, signal, name="net", mode=mode, step_rate_hz=50.0, input_bits=32, batch_size=1)
    assert found.complete, found.uncounted
    return found


def scattered(signal, weight, sizes, stride, before):
    """Each input adds its taps to the output: (rows, columns, inputs) to (*sizes, outputs)."""
    out, taps = np.zeros((*sizes, weight.shape[0])), 0
    for r, c, y, x in np.ndindex(*signal.shape[:2], *weight.shape[1:3]):
        row, column = r * stride - before[0] + y, c * stride - before[1] + x
        if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
            out[row, column] += weight[:, y, x] @ signal[r, c]
            taps += weight.shape[0] * weight.shape[3]
    return out, taps


@pytest.mark.parametrize(
    ("kernel", "stride", "sizes", "before"),
    [
        ((3, 3), 2, (6, 8), (0, 0)), ((4, 3), 2, (6, 8), (1, 0)), ((3, 3), 1, (3, 4), (1, 1)),
        ((3, 2), 2, (7, 8), (0, 0)), ((2, 2), 3, (9, 12), (0, 0)),
    ],
)  # fmt: skip
def test_a_transposed_convolution(tmp_path, kernel, stride, sizes, before):
    f, weight = Flat(), floats(5, *kernel, 2)
    x, out = f.tensor((1, 3, 4, 2)), f.tensor((1, *sizes, 5))
    shape = f.tensor(values=np.array([1, *sizes, 5], np.int32))
    f.operator(
        "TRANSPOSE_CONV", [shape, f.tensor(values=weight), x], [out], "TransposeConvOptions", Padding=SAME,
        StrideH=stride, StrideW=stride,
    )  # fmt: skip
    network = read_network(f.write(tmp_path / "net.tflite", [x], [out]))
    signal = torch.randn(1, 3, 4, 2)
    expected, taps = scattered(signal[0].numpy(), weight, sizes, stride, before)
    with torch.inference_mode():
        torch.testing.assert_close(network(signal)[0], torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-5)
    products = counted(network, signal).products
    assert products is not None
    assert products.dense_full.mean == 3 * 4 * 2 * 5 * kernel[0] * kernel[1]
    assert products.dense_valid.mean == taps


def test_a_transposed_convolution_in_integers(tmp_path):
    f = Flat()
    x, out = f.tensor((1, 3, 4, 2), np.int8, steps=(0.1, 2)), f.tensor((1, 6, 8, 5), np.int8, steps=(0.5, 0))
    weight = f.tensor(values=codes(5, 3, 3, 2), steps=(np.full(5, 0.01), np.zeros(5)))
    bias = f.tensor(values=np.arange(5, dtype=np.int32), steps=(np.full(5, 0.001), np.zeros(5)))
    shape = f.tensor(values=np.array([1, 6, 8, 5], np.int32))
    f.operator(
        "TRANSPOSE_CONV", [shape, weight, x, bias], [out], "TransposeConvOptions", Padding=SAME, StrideH=2, StrideW=2
    )
    found = counted(read_network(f.write(tmp_path / "net.tflite", [x], [out])), torch.randn(2, 3, 4, 2))
    product = next(layer for layer in found.layers if layer.products is not None)
    assert (product.weight_bits, product.activation_bits, product.arithmetic) == (8, 8, "integer")
    assert (product.weights, product.biases) == (90, 5)


def svdf(path, kind: str, rank: int = 2):
    """3 inputs, 4 units of rank 2: 8 features, filtered over 5 steps."""
    f, whole = Flat(), kind == "integer"
    if whole:
        x, out = f.tensor((1, 3), np.int8, steps=(0.05, 0)), f.tensor((1, 4), np.int8, steps=(0.1, 0))
        features = f.tensor(values=codes(8, 3), steps=(0.01, 0))
        filters = f.tensor(values=(codes(8, 5).astype(np.int16) * 100), steps=(0.0001, 0))
        bias = f.tensor(values=np.arange(4, dtype=np.int32), steps=(1e-7, 0))
        state = f.tensor((1, 40), np.int16, steps=(0.001, 0), variable=True)
    else:
        x, out = f.tensor((1, 3)), f.tensor((1, 4))
        features, filters, bias = (f.tensor(values=one) for one in (floats(8, 3), floats(8, 5), floats(4)))
        state = f.tensor((1, 40), variable=True)
    f.operator("SVDF", [x, features, filters, bias, state], [out], "SVDFOptions", Rank=rank)
    return f.write(path / "net.tflite", [x], [out]), [f.tensors[one]["values"] for one in (features, filters, bias)]


def test_an_svdf_filters_the_last_steps(tmp_path):
    path, (features, filters, bias) = svdf(tmp_path, "float")
    loop = as_stream(read_network(path))
    assert loop is not None
    signal, state = torch.randn(1, 3, 9), np.zeros((8, 5))
    with torch.inference_mode():
        found = loop(signal)[0].numpy()
    for step, now in enumerate(signal[0].numpy().T):
        state = np.concatenate([state[:, 1:], (features @ now)[:, None]], axis=1)
        np.testing.assert_allclose(found[step], (state * filters).sum(1).reshape(4, 2).sum(1) + bias, atol=1e-4)


@pytest.mark.parametrize(("kind", "widths"), [("float", {(32, 32)}), ("integer", {(8, 8), (16, 16)})])
def test_products_and_state_of_an_svdf(tmp_path, kind, widths):
    path, _ = svdf(tmp_path, kind)
    loop = as_stream(read_network(path))
    assert loop is not None
    work = counted(loop, torch.randn(2, 3, 9), mode="stream")
    assert work.products is not None
    assert work.products.dense_full.mean == 8 * 3 + 8 * 5
    assert {(one.weight_bits, one.activation_bits) for one in work.layers if one.products} == widths
    assert sum(layer.state_elements for layer in work.layers) == 8 * 5
    # The 3 inputs, the 8 new features and the 4 outputs are put on a grid; the rest of the state is on its own.
    assert requantised(work) == ([3, 8, 4] if kind == "integer" else [])


def requantised(work: Workload) -> list[float]:
    """Return the requantisations of each layer that has some."""
    return [layer.operations["requantise"].mean for layer in work.layers if "requantise" in layer.operations]


def test_an_lstm_in_integers(tmp_path):
    f, units, inputs, steps = Flat(), 4, 3, 6
    x = f.tensor((1, steps, inputs), np.int8, steps=(0.02, 0))
    out = f.tensor((1, steps, units), np.int8, steps=(0.01, 0))
    scales = RANDOM.uniform(0.005, 0.01, 8)
    sizes = [inputs] * 4 + [units] * 4
    values = [codes(units, size) for size in sizes]
    weights = [f.tensor(values=one, steps=(scale, 0)) for one, scale in zip(values, scales, strict=True)]
    offsets = [RANDOM.integers(-2000, 2000, units).astype(np.int32) for _ in range(4)]
    bias = [f.tensor(values=one, steps=(0.02 * scales[gate], 0)) for gate, one in enumerate(offsets)]
    hidden = f.tensor((1, units), np.int8, steps=(0.01, 0), variable=True)
    cell = f.tensor((1, units), np.int16, steps=(2**-12, 0), variable=True)
    f.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *weights, -1, -1, -1, *bias, -1, -1, hidden, cell], [out],
        "UnidirectionalSequenceLSTMOptions", TimeMajor=False, FusedActivationFunction=TANH,
    )  # fmt: skip
    network = read_network(f.write(tmp_path / "net.tflite", [x], [out]))
    signal = torch.randn(1, steps, inputs)
    work = counted(network, signal)
    assert work.products is not None
    assert work.products.dense_full.mean == steps * 4 * units * (inputs + units)
    products = [layer for layer in work.layers if layer.products is not None]
    assert {(one.weight_bits, one.activation_bits, one.arithmetic) for one in products} == {(8, 8, "integer")}
    assert sum(layer.weights for layer in work.layers) == 4 * units * (inputs + units)
    assert {layer.state_bits: layer.state_elements for layer in work.layers if layer.state_elements} == {
        8: units, 16: units,
    }  # fmt: skip
    # A step: the 4 x 4 accumulators of each product to gates of 16 bits, the cell, the hidden state. Inputs: all steps.
    assert sorted(requantised(work)) == sorted([steps * inputs, *[steps * 4 * units] * 2, *[steps * units] * 2])
    counts: dict[str, float] = {}
    for layer in work.layers:
        for name, count in layer.operations.items():
            counts[name] = counts.get(name, 0) + count.mean
    # Biases of 4 x 4 gates, sums of both products, and of the two parts of the cell.
    assert counts["add"] == steps * units * (4 + 4 + 1)
    assert (counts["multiply"], counts["lookup"]) == (steps * units * 3, steps * units * 5)
    float_weights = [one * scale for one, scale in zip(values, scales, strict=True)]
    lstm = torch.nn.LSTM(inputs, units, batch_first=True)
    lstm.weight_ih_l0.data = torch.from_numpy(np.concatenate(float_weights[:4])).float()
    lstm.weight_hh_l0.data = torch.from_numpy(np.concatenate(float_weights[4:])).float()
    real = np.concatenate([one * 0.02 * scales[gate] for gate, one in enumerate(offsets)])
    lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = torch.from_numpy(real).float(), torch.zeros(4 * units)
    with torch.inference_mode():
        expected = lstm((signal / 0.02).round().clamp(-128, 127) * 0.02)[0]
        assert float((network(signal) - expected).abs().max()) < 0.03
