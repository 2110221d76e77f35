"""TensorFlow Lite files, written here with the schema's package: products, widths, the arena, and what is refused."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.interchange import arena_of, read_network

tflite = pytest.importorskip("tflite", reason="the extra tflite is not installed")
from tflite_files import Flat  # noqa: E402

RELU, RELU6, SAME, VALID = 1, 3, 0, 1
RANDOM = np.random.default_rng(0)
STEP = (0.05, 3)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def codes(*shape: int) -> np.ndarray:
    return RANDOM.integers(1, 100, size=shape).astype(np.int8)


def counted(path, signal: torch.Tensor, bits: int = 16) -> tuple[Workload, torch.Tensor, torch.nn.Module]:
    network = read_network(path)
    work = observe(network, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=bits, batch_size=1)
    with torch.inference_mode():
        return work, network(signal), network


def keyword_network(path, kind: str):
    """Conv 3 x 3 of 1 to 4, depthwise 3 x 3, average over all, dense 4 to 2, softmax, on 6 x 5."""
    f = Flat()
    whole = kind == "integer"
    signal = np.int8 if whole else np.float32

    def made(*shape):
        return f.tensor(shape, signal, steps=STEP if whole else None)

    def weight(values, axis):
        if kind == "float":
            return f.tensor(values=values)
        if kind == "half":
            half = f.tensor(values=values.astype(np.float16))
            back = f.tensor(values.shape)
            f.operator("DEQUANTIZE", [half], [back])
            return back
        channels = values.shape[axis]
        return f.tensor(values=codes(*values.shape), steps=(np.full(channels, 0.01), np.zeros(channels)), axis=axis)

    def bias(size):
        if whole:
            return f.tensor(values=np.arange(size, dtype=np.int32), steps=(np.full(size, 0.0005), np.zeros(size)))
        return f.tensor(values=floats(size))

    x, first, second, mean, flat, dense, out = (
        made(1, 6, 5, 1), made(1, 6, 5, 4), made(1, 3, 3, 4), made(1, 1, 1, 4), made(1, 4), made(1, 2), made(1, 2)
    )  # fmt: skip
    w1, b1 = weight(floats(4, 3, 3, 1), 0), bias(4)
    w2, b2 = weight(floats(1, 3, 3, 4), 3), bias(4)
    w3, b3 = weight(floats(2, 4), 0), bias(2)
    stride = {"StrideH": 1, "StrideW": 1}
    f.operator(
        "CONV_2D", [x, w1, b1], [first], "Conv2DOptions", Padding=SAME, FusedActivationFunction=RELU, **stride,
        DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    f.operator(
        "DEPTHWISE_CONV_2D", [first, w2, b2], [second], "DepthwiseConv2DOptions", Padding=SAME, StrideH=2, StrideW=2,
        DepthMultiplier=1, FusedActivationFunction=RELU6, DilationHFactor=1, DilationWFactor=1,
    )  # fmt: skip
    f.operator(
        "AVERAGE_POOL_2D", [second], [mean], "Pool2DOptions", Padding=VALID, FilterHeight=3, FilterWidth=3, **stride
    )
    f.operator("RESHAPE", [mean], [flat], "ReshapeOptions", NewShape=[1, 4])
    f.operator("FULLY_CONNECTED", [flat, w3, b3], [dense], "FullyConnectedOptions")
    f.operator("SOFTMAX", [dense], [out], "SoftmaxOptions", Beta=1.0)
    return f.write(path, [x], [out]), f


FULL = {"CONV_2D": 30 * 4 * 9, "DEPTHWISE_CONV_2D": 9 * 4 * 9, "FULLY_CONNECTED": 8}


@pytest.mark.parametrize("kind", ["float", "integer", "hybrid", "half"])
def test_products_and_widths_of_a_keyword_network(tmp_path, kind):
    path, _ = keyword_network(tmp_path / "net.tflite", kind)
    work, out, _ = counted(path, torch.randn(3, 6, 5, 1))
    assert work.complete, work.uncounted
    products = [layer for layer in work.layers if layer.products is not None]
    assert [layer.products.dense_full.mean for layer in products] == list(FULL.values())
    weights, signals = {"float": (32, 32), "integer": (8, 8), "hybrid": (8, 8), "half": (16, 32)}[kind]
    assert {layer.weight_bits for layer in products} == {weights}
    assert [layer.activation_bits for layer in products][1:] == [signals] * 2
    assert {layer.arithmetic for layer in products} == {"integer" if weights == 8 else "float"}
    assert [layer.weights for layer in products] == [36, 36, 8]
    assert sum(layer.biases + layer.constants * (layer.constant_bits == 32) for layer in work.layers) >= 10
    assert out.shape == (3, 2)
    assert torch.allclose(out.sum(-1), torch.ones(3), atol=0.2)


def test_numbers_are_those_of_torch(tmp_path):
    path, f = keyword_network(tmp_path / "net.tflite", "float")
    signal = torch.randn(3, 6, 5, 1)
    _, out, _ = counted(path, signal)
    w1, b1, w2, b2, w3, b3 = (
        torch.from_numpy(one["values"]) for one in f.tensors if one["values"] is not None and one["values"].dtype == "f"
    )
    x = functional.conv2d(signal.permute(0, 3, 1, 2), w1.permute(0, 3, 1, 2), b1, padding=1).relu()
    x = functional.pad(x, (1, 1, 0, 1))  # 6 rows with stride 2 need one row after, 5 columns one on either side
    x = functional.conv2d(x, w2.permute(3, 0, 1, 2), b2, stride=2, groups=4).clamp(0, 6)
    expected = torch.softmax(x.mean((2, 3)) @ w3.T + b3, -1)
    torch.testing.assert_close(out, expected)


def test_the_arena_is_that_of_lifetimes(tmp_path):
    """Int8: 30 in, 120, 36, 4, 4, 2, 2 bytes; the first two are there at once: 32 + 128 bytes, all others fit below."""
    path, _ = keyword_network(tmp_path / "net.tflite", "integer")
    network = read_network(path)
    assert arena_of(network) == 128 + 48  # the second and third: 120 and 36 bytes, each to a multiple of 16


@pytest.mark.parametrize("join", [False, True], ids=["pool", "join"])
def test_a_grid_is_kept_where_numbers_only_move(tmp_path, join):
    f = Flat()
    x = f.tensor((1, 4, 4, 2), np.int8, steps=STEP)
    y = f.tensor((1, 2, 2, 2), np.int8, steps=STEP)
    f.operator(
        "MAX_POOL_2D", [x], [y], "Pool2DOptions", Padding=VALID, FilterHeight=2, FilterWidth=2, StrideH=2, StrideW=2
    )
    if join:
        z = f.tensor((1, 2, 2, 4), np.int8, steps=STEP)
        f.operator("CONCATENATION", [y, y], [z], "ConcatenationOptions", Axis=3)
        y = z
    size = 16 if join else 8
    flat, out = f.tensor((1, size), np.int8, steps=STEP), f.tensor((1, 3), np.int8, steps=(0.1, 0))
    f.operator("RESHAPE", [y], [flat], "ReshapeOptions", NewShape=[1, size])
    w = f.tensor(values=codes(3, size), steps=(0.02, 0))
    f.operator("FULLY_CONNECTED", [flat, w, -1], [out], "FullyConnectedOptions")
    work, _, _ = counted(f.write(tmp_path / "net.tflite", [x], [out]), torch.randn(2, 4, 4, 2))
    assert work.complete
    requantised = [one.operations["requantise"].mean for one in work.layers if "requantise" in one.operations]
    assert sum(requantised) == 32 + 3  # the input, and what leaves the product
    (product,) = [layer for layer in work.layers if layer.products is not None]
    assert (product.weight_bits, product.activation_bits) == (8, 8)


def test_a_graph_of_sums_slices_and_means(tmp_path):
    f = Flat()
    x, a = f.tensor((1, 8, 6)), f.tensor((1, 8, 3))
    numbers = [f.tensor(values=np.array(one, np.int32)) for one in ([0, 0, 0], [1, 8, 6], [1, 1, 2])]
    f.operator("STRIDED_SLICE", [x, *numbers], [a], "StridedSliceOptions", BeginMask=0, EndMask=0)
    b, mean = f.tensor((1, 8, 3)), f.tensor((1, 3))
    f.operator("ADD", [a, a], [b], "AddOptions", FusedActivationFunction=RELU)
    f.operator("MEAN", [b, f.tensor(values=np.array([1], np.int32))], [mean], "ReducerOptions", KeepDims=False)
    out = f.tensor((1, 3))
    f.operator("LOGISTIC", [mean], [out])
    signal = torch.randn(3, 8, 6)
    work, found, _ = counted(f.write(tmp_path / "net.tflite", [x], [out]), signal)
    torch.testing.assert_close(found, (2 * signal[..., ::2]).relu().mean(1).sigmoid())
    assert work.complete
    assert sum(layer.operations["lookup"].mean for layer in work.layers if "lookup" in layer.operations) == 3


def test_a_float_lstm(tmp_path):
    f, lstm = Flat(), torch.nn.LSTM(3, 4, batch_first=True)
    gates = range(4)  # input, forget, cell, output, in torch and in the schema
    pieces = [lstm.weight_ih_l0.detach().split(4), lstm.weight_hh_l0.detach().split(4)]
    biases = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().split(4)
    x, out = f.tensor((1, 7, 3)), f.tensor((1, 7, 4))
    w = [f.tensor(values=pieces[part][gate].numpy()) for part in (0, 1) for gate in gates]
    b = [f.tensor(values=biases[gate].numpy()) for gate in gates]
    states = [f.tensor((1, 4), variable=True) for _ in range(2)]
    f.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *w, -1, -1, -1, *b, -1, -1, *states], [out],
        "UnidirectionalSequenceLSTMOptions", TimeMajor=False, FusedActivationFunction=4,
    )  # fmt: skip
    signal = torch.randn(2, 7, 3)
    work, found, _ = counted(f.write(tmp_path / "net.tflite", [x], [out]), signal)
    torch.testing.assert_close(found, lstm(signal)[0].detach())
    assert work.products.dense_full.mean == 7 * 4 * 4 * (3 + 4)
    assert sum(layer.state_elements for layer in work.layers) == 8


def test_all_that_cannot_be_run_is_named_at_once(tmp_path):
    f = Flat()
    x, y, z = f.tensor((1, 4)), f.tensor((1, 4)), f.tensor((1, 4))
    f.operator("CUMSUM", [x, f.tensor(values=np.array(0, np.int32))], [y], "CumsumOptions")
    f.operator("L2_NORMALIZATION", [y], [z], "L2NormOptions")
    with pytest.raises(StudentError, match="CUMSUM") as found:
        read_network(f.write(tmp_path / "net.tflite", [x], [z]))
    assert "L2_NORMALIZATION" in str(found.value)


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0TFL3", b"\x10\0\0\0TFL3" + b"\xff" * 64, b"PK\3\4zipfile"])
def test_what_is_no_such_file_is_one_error(tmp_path, content):
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(StudentError):
        read_network(path)


def test_mutated_files_end_in_one_error_or_a_network(tmp_path):
    path, _ = keyword_network(tmp_path / "net.tflite", "integer")
    content, random = bytearray(path.read_bytes()), np.random.default_rng(1)
    for _ in range(150):
        mutated = bytearray(content)
        for at in random.integers(0, len(mutated), size=3):
            mutated[at] = random.integers(0, 256)
        path.write_bytes(mutated)
        try:
            network = read_network(path)
        except StudentError:
            continue
        assert isinstance(network, torch.nn.Module)


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path, _ = keyword_network(tmp_path / "net.tflite", "float")
    monkeypatch.setitem(__import__("sys").modules, "tflite", None)
    with pytest.raises(StudentError, match="cosim\\[tflite\\]"):
        read_network(path)
