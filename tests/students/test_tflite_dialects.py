"""TensorFlow Lite files as several converters write them, against counts worked by hand."""

import numpy as np
import pytest
import torch

from energy_models.workload import Workload
from students.counting import observe
from students.interchange import read_network

pytest.importorskip("tflite", reason="the extra tflite is not installed")
from tflite_files import Flat

NONE, RELU, RELU1, RELU6, VALID = 0, 1, 2, 3, 1
RANDOM = np.random.default_rng(2)


def codes(*shape: int) -> np.ndarray:
    return RANDOM.integers(1, 100, size=shape).astype(np.int8)


def counted(network, signal: torch.Tensor) -> Workload:
    found = observe(network, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=16, batch_size=2)
    assert found.complete, found.uncounted
    return found


def each(work: Workload, operation: str) -> list[float]:
    return [one.operations[operation].mean for one in work.layers if operation in one.operations]


def products(work: Workload) -> list[tuple]:
    return [
        (one.products.dense_full.mean, one.weight_bits, one.activation_bits, one.arithmetic)
        for one in work.layers
        if one.products is not None
    ]


def per_channel(f: Flat, values: np.ndarray, axis: int) -> int:
    count = values.shape[axis]
    return f.tensor(values=values, steps=(np.linspace(0.01, 0.02, count), np.zeros(count)), axis=axis)


def test_signals_of_16_bits_with_biases_of_64(tmp_path):
    """TensorFlow's 16x8 mode: symmetric signals of 16 bits, weights of 8 per channel; dense with kept axes.

    Conv (1 x 3) of 2 to 4 on 10 samples: 8 x 4 x 6 = 192 products; dense 4 to 3 at each of 8 samples: 96.
    """
    f = Flat()
    x = f.tensor((1, 1, 10, 2), np.int16, steps=(0.001, 0))
    first = f.tensor((1, 1, 8, 4), np.int16, steps=(0.002, 0))
    w, b = per_channel(f, codes(4, 1, 3, 2), 0), f.tensor(
        values=np.arange(4, dtype=np.int64), steps=(np.linspace(1e-5, 2e-5, 4), np.zeros(4))
    )  # fmt: skip
    f.operator(
        "CONV_2D", [x, w, b], [first], "Conv2DOptions", Padding=VALID, StrideH=1, StrideW=1,
        FusedActivationFunction=RELU, DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    out = f.tensor((1, 1, 8, 3), np.int16, steps=(0.01, 0))
    dense = f.tensor(values=codes(3, 4), steps=(0.01, 0))
    f.operator("FULLY_CONNECTED", [first, dense, -1], [out], "FullyConnectedOptions", KeepNumDims=True)
    network = read_network(f.write(tmp_path / "net.tflite", [x], [out]))
    signal = torch.randn(4, 1, 10, 2)
    work = counted(network, signal)
    assert products(work) == [(192, 8, 16, "integer"), (96, 8, 16, "integer")]
    assert each(work, "requantise") == [20, 32, 24]
    assert each(work, "compare") == []  # the ReLU is an end of the requantisation
    assert {one.output_bits for one in work.layers if "requantise" in one.operations} == {16}
    assert network(signal).shape == (4, 1, 8, 3)


@pytest.mark.parametrize(
    ("function", "ends"), [(RELU, (0.0, 12.75)), (RELU6, (0.0, 6.0)), (RELU1, (-1.0, 1.0)), (NONE, (-6.4, 6.35))]
)
def test_a_depthwise_product_per_channel_with_a_fused_clip(tmp_path, function, ends):
    """PyTorch's converters: channels first outside, any number of examples, a multiplier of 2, a scale per channel.

    Depthwise (1 x 3) of 3 to 6 on 7 samples: 5 x 6 x 3 = 90 products, 30 requantisations with the clip inside.
    """
    f = Flat()
    x = f.tensor((1, 3, 1, 7), np.int8, steps=(0.05, 0), open_axis=0)
    last = f.tensor((1, 1, 7, 3), np.int8, steps=(0.05, 0), open_axis=0)
    f.operator("TRANSPOSE", [x, f.tensor(values=np.array([0, 2, 3, 1], np.int32))], [last])
    zero = -128 if function in {RELU, RELU6} else 0
    out = f.tensor((1, 1, 5, 6), np.int8, steps=(0.05, zero), open_axis=0)
    weight = per_channel(f, codes(1, 1, 3, 6) - 50, 3)
    bias = f.tensor(values=np.zeros(6, np.int32), steps=(np.linspace(5e-4, 1e-3, 6), np.zeros(6)))
    f.operator(
        "DEPTHWISE_CONV_2D", [last, weight, bias], [out], "DepthwiseConv2DOptions", Padding=VALID, StrideH=1,
        StrideW=1, DepthMultiplier=2, FusedActivationFunction=function, DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    network = read_network(f.write(tmp_path / "net.tflite", [x], [out]))
    signal = 3 * torch.randn(5, 3, 1, 7)
    work = counted(network, signal)
    assert products(work) == [(90, 8, 8, "integer")]
    assert each(work, "requantise") == [21, 30]
    assert each(work, "compare") == []
    assert [one.weights for one in work.layers if one.products] == [18]
    # What leaves it is the real sum on the grid, between the function's ends.
    values, scales = f.tensors[weight]["values"].astype(np.float64), np.linspace(0.01, 0.02, 6)
    given = (signal.double() / 0.05).round().clamp(-128, 127).numpy()[:, :, 0] * 0.05
    real = np.zeros((5, 5, 6))
    for channel, tap in np.ndindex(6, 3):
        real[..., channel] += given[:, channel // 2, tap : tap + 5] * values[0, 0, tap, channel] * scales[channel]
    found = network(signal)[:, 0].double().numpy()
    assert np.abs(found - np.clip(real, *ends)).max() <= 0.026


def test_weights_of_8_bits_on_float_signals_with_any_number_of_examples(tmp_path):
    """Dynamic range: dense 5 to 4 with a fused ReLU1 and kept axes on 6 steps: 120 products at 8 x 8 bits.

    Two looks for the range, one requantisation an element of the 30 that come, two scales an element of 24 that leave.
    """
    f = Flat()
    x, out = f.tensor((1, 6, 5), open_axis=0), f.tensor((1, 6, 4), open_axis=0)
    weight = codes(4, 5) - 50
    w = f.tensor(values=weight, steps=(0.01, 0))
    bias = f.tensor(values=RANDOM.normal(size=4).astype(np.float32))
    f.operator(
        "FULLY_CONNECTED", [x, w, bias], [out], "FullyConnectedOptions", KeepNumDims=True,
        FusedActivationFunction=RELU1, AsymmetricQuantizeInputs=True,
    )  # fmt: skip
    network = read_network(f.write(tmp_path / "net.tflite", [x], [out]))
    signal = torch.randn(4, 6, 5)
    work = counted(network, signal)
    assert products(work) == [(120, 8, 8, "integer")]
    assert each(work, "requantise") == [30]
    assert sum(one.weights for one in work.layers) == 20
    real = signal.numpy() @ (weight.T * 0.01) + f.tensors[bias]["values"]
    assert np.abs(network(signal).numpy() - np.clip(real, -1, 1)).max() < 0.05
