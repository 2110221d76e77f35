"""Integer operators and channels-last operators of ONNX files: numbers of the runtime, widths of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim import count as count_file
from energy_models.errors import StudentError
from students.interchange import read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
onnxruntime: Any = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def whole(*shape: int, low: int = -100, high: int = 100, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape)


def save(path: Path, nodes: list[Any], stored: dict[str, Any], ends: tuple[tuple[int, ...], tuple[int, ...]]) -> Path:
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ends[0])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ends[1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.channels_last", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(path))
    return path


def same_as_runtime(path: Path, signal: np.ndarray, tolerance: float) -> None:
    wanted = onnxruntime.InferenceSession(str(path)).run(None, {"x": signal})[0]
    with torch.no_grad():
        found = read_network(path)(torch.from_numpy(signal)).numpy()
    np.testing.assert_allclose(found, wanted, atol=tolerance)


STORED = {
    "xs": np.float32(0.05), "xz": np.uint8(120), "ys": np.float32(0.5), "yz": np.uint8(100), "zs": np.float32(0.7),
    "zz": np.uint8(90),
}  # fmt: skip


def quantised(path: Path) -> Path:
    """A convolution of 4 to 5 channels over 8 places and a product of 40 by 3, in 8 bits from end to end."""
    stored = {
        **STORED, "w": whole(5, 4, 3).astype(np.int8), "ws": (np.arange(5) * 0.001 + 0.01).astype(np.float32),
        "wz": np.zeros(5, np.int8), "b": whole(5, seed=1).astype(np.int32), "m": whole(40, 3, seed=2).astype(np.int8),
        "ms": np.float32(0.02), "mz": np.int8(0), "flat": np.array([1, 40]),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], "in"),
        helper.make_node("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["c"], "conv"),
        helper.make_node("DequantizeLinear", ["c", "ys", "yz"], ["d"], "between"),
        helper.make_node("Reshape", ["d", "flat"], ["e"], "flatten"),
        helper.make_node("QuantizeLinear", ["e", "ys", "yz"], ["f"], "again"),
        helper.make_node("QLinearMatMul", ["f", "ys", "yz", "m", "ms", "mz", "zs", "zz"], ["g"], "product"),
        helper.make_node("DequantizeLinear", ["g", "zs", "zz"], ["y"], "out"),
    ]
    return save(path, nodes, stored, ((1, 4, 10), (1, 3)))


def test_quantised_products_are_those_of_the_runtime(tmp_path: Path) -> None:
    path = quantised(tmp_path / "net.onnx")
    signal = np.random.default_rng(3).standard_normal((1, 4, 10)).astype(np.float32)
    same_as_runtime(path, signal, tolerance=0.71)  # one step of the last grid, where float sums round the other way
    workload = count_file(path, signal, rate_hz=100)
    assert workload.complete, workload.uncounted
    assert workload.products is not None
    assert workload.products.dense_full.mean == 5 * 4 * 3 * 8 + 40 * 3
    widths = {layer.name: (layer.weight_bits, layer.activation_bits) for layer in workload.layers if layer.products}
    assert widths == {"conv": (8, 8), "product": (8, 8)}


@pytest.mark.parametrize("operator", ["ConvInteger", "MatMulInteger"])
def test_dynamically_quantised_products(tmp_path: Path, operator: str) -> None:
    convolution = operator == "ConvInteger"
    weight = whole(5, 4, 3).astype(np.int8) if convolution else whole(10, 6).astype(np.int8)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "in"),
        helper.make_node(operator, ["q", "w", "z"], ["c"], "product"),
        helper.make_node("Cast", ["c"], ["d"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["scale"], "scales"),
        helper.make_node("Mul", ["d", "scale"], ["y"], "scaled"),
    ]
    ends = ((1, 4, 10), (1, 5, 8) if convolution else (1, 4, 6))
    path = save(tmp_path / "net.onnx", nodes, {"w": weight, "ws": np.float32(0.01)}, ends)
    signal = np.random.default_rng(3).standard_normal((1, 4, 10)).astype(np.float32)
    same_as_runtime(path, signal, tolerance=1e-4)
    workload = count_file(path, signal, rate_hz=100)
    layer = next(one for one in workload.layers if one.name == "product")
    assert layer.products is not None
    assert layer.products.dense_full.mean == (5 * 4 * 3 * 8 if convolution else 4 * 10 * 6)
    assert (layer.weight_bits, layer.activation_bits) == (8, 8)


def test_integer_products_with_scales_that_are_computed_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], "in"),
        helper.make_node("Abs", ["ws"], ["computed"], "abs"),
        helper.make_node("QLinearMatMul", ["q", "xs", "xz", "m", "computed", "mz", "zs", "zz"], ["g"], "product"),
        helper.make_node("DequantizeLinear", ["g", "zs", "zz"], ["y"], "out"),
    ]
    stored = {**STORED, "m": whole(4, 3).astype(np.int8), "ws": np.float32(0.1), "mz": np.int8(0)}
    with pytest.raises(StudentError, match="cannot be run"):
        read_network(save(tmp_path / "net.onnx", nodes, stored, ((1, 4), (1, 3))))


def test_channels_last(tmp_path: Path) -> None:
    """18 places x 5 channels x 3 taps x 4 channels; the numbers are those of the channels-first convolution."""
    weight = np.random.default_rng(0).standard_normal((5, 3, 1, 4)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "k"], ["y"], "conv", domain="qonnx.custom_op.channels_last",
                            kernel_shape=[3, 1])  # fmt: skip
    path = save(tmp_path / "net.onnx", [node], {"k": weight}, ((1, 20, 1, 4), (1, 18, 1, 5)))
    signal = torch.randn(1, 20, 1, 4)
    wanted = torch.conv2d(signal.permute(0, 3, 1, 2), torch.from_numpy(weight).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(read_network(path)(signal), wanted)
    workload = count_file(path, rate_hz=100)
    assert workload.complete, workload.uncounted
    assert workload.products is not None
    assert workload.products.dense_full.mean == 18 * 5 * 3 * 4
