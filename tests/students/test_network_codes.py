"""ONNX graphs that move integer codes, or take and give them: 6 channels x 8 steps in, worked by hand."""

import numpy as np
import pytest
import torch

from students.counting import observe
from students.interchange import read_network

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RANDOM = np.random.default_rng(0)
STORED = {
    "s": np.float32(0.05), "z": np.int8(3), "ws": np.float32(0.02), "wz": np.int8(0), "os": np.float32(0.1),
    "oz": np.int8(0), "w": RANDOM.integers(1, 9, (4, 6, 3)).astype(np.int8),
    "v": RANDOM.integers(1, 9, (12, 2)).astype(np.int8),
}  # fmt: skip
QUANTISE = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
CONV = (
    helper.make_node("DequantizeLinear", ["moved", "s", "z"], ["numbers"]),
    helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["weights"]),
    helper.make_node("Conv", ["numbers", "weights"], ["y"], name="c"),
)


def made(path, nodes, integer: bool):
    kind = TensorProto.INT8 if integer else TensorProto.FLOAT
    read = {name for node in nodes for name in node.input}
    stored = [numpy_helper.from_array(values, name) for name, values in STORED.items() if name in read]
    given = helper.make_tensor_value_info("x", kind, [1, 6, 8])
    result = helper.make_tensor_value_info("y", kind, ["open"] * (2 if integer else 3))
    graph = helper.make_graph(list(nodes), "g", [given], [result], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    network = read_network(path)
    signal = torch.randn(3, 6, 8)
    work = observe(network, signal, name="net", mode="window", step_rate_hz=1.0, input_bits=16)
    assert work.complete, work.uncounted
    return work, network(signal)


def requantised(work) -> float:
    return sum(layer.operations["requantise"].mean for layer in work.layers if "requantise" in layer.operations)


MOVES = {
    "pool": ([helper.make_node("MaxPool", ["q"], ["moved"], kernel_shape=[2], strides=[2])], 2),
    "join": (
        [
            helper.make_node("Transpose", ["q"], ["turned"], perm=[0, 2, 1]),
            helper.make_node("Concat", ["turned", "turned"], ["twice"], axis=1),
            helper.make_node("Transpose", ["twice"], ["moved"], perm=[0, 2, 1]),
        ],
        14,
    ),
    "nothing": ([helper.make_node("Identity", ["q"], ["moved"])], 6),
}


@pytest.mark.parametrize("move", MOVES)
def test_codes_that_are_moved_before_they_are_dequantised(tmp_path, move):
    nodes, steps = MOVES[move]
    work, out = made(tmp_path / "net.onnx", [QUANTISE, *nodes, *CONV], integer=False)
    product = next(layer for layer in work.layers if layer.products is not None)
    assert product.products.dense_full.mean == 4 * 6 * 3 * steps
    assert (product.arithmetic, product.weight_bits, product.activation_bits) == ("integer", 8, 8)
    assert requantised(work) == 48  # the input, once
    assert out.shape == (3, 4, steps)


def test_integers_in_and_out(tmp_path):
    linear = helper.make_node("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "os", "oz"], ["a"], name="c")
    nodes = [
        linear,
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2], strides=[2]),
        helper.make_node("Flatten", ["b"], ["f"]),
        helper.make_node("QLinearMatMul", ["f", "os", "oz", "v", "ws", "wz", "os", "oz"], ["y"], name="m"),
    ]
    work, out = made(tmp_path / "net.onnx", nodes, integer=True)
    products = [layer for layer in work.layers if layer.products is not None]
    assert [layer.products.dense_full.mean for layer in products] == [4 * 6 * 3 * 6, 12 * 2]
    assert {(layer.arithmetic, layer.weight_bits, layer.activation_bits) for layer in products} == {("integer", 8, 8)}
    assert requantised(work) == 48 + 24 + 2
    codes = out / 0.1
    torch.testing.assert_close(codes, codes.round(), atol=1e-4, rtol=0)


def test_the_numbers_are_those_of_the_codes(tmp_path):
    signal = torch.randn(3, 6, 8)
    network_out = None
    for nodes in ([QUANTISE, *MOVES["nothing"][0], *CONV], [QUANTISE, *CONV]):
        if len(nodes) == 4:
            nodes[1] = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["numbers"])
        path = tmp_path / "net.onnx"
        made(path, nodes, integer=False)
        out = read_network(path)(signal)
        if network_out is not None:
            torch.testing.assert_close(out, network_out)
        network_out = out


def test_codes_that_are_calculated_with_are_refused(tmp_path):
    from energy_models.errors import StudentError

    cast = helper.make_node("Cast", ["q"], ["wide"], to=TensorProto.FLOAT)
    add = helper.make_node("Add", ["wide", "wide"], ["y"])
    with pytest.raises(StudentError, match="QuantizeLinear"):
        made(tmp_path / "net.onnx", [QUANTISE, cast, add], integer=False)
