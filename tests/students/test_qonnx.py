"""Quantised network files: the workload of the Brevitas module they came from, and qonnx's cost of the same graph."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from energy_models.workload import LayerWork, Workload
from students.counting import observe
from students.interchange import read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("qonnx", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

DOMAIN = "qonnx.custom_op.general"


def brevitas_network() -> nn.Module:
    """Eight-bit input, four-bit convolution with a scale per channel, three-bit readout with an integer bias."""
    from brevitas.nn import QuantConv1d, QuantIdentity, QuantLinear, QuantReLU
    from brevitas.quant import Int8WeightPerChannelFloat, Int32Bias

    torch.manual_seed(1)
    network = nn.Sequential(
        QuantIdentity(bit_width=8, return_quant_tensor=True),
        QuantConv1d(4, 6, 5, weight_bit_width=4, weight_quant=Int8WeightPerChannelFloat, bias=False),
        nn.BatchNorm1d(6), QuantReLU(bit_width=4, return_quant_tensor=True), nn.AvgPool1d(4), nn.Flatten(),
        QuantIdentity(bit_width=4, return_quant_tensor=True),
        QuantLinear(6 * 3, 3, weight_bit_width=3, bias=True, bias_quant=Int32Bias),
    )  # fmt: skip
    for _ in range(3):  # statistics of the quantisers and of the norm
        network(torch.randn(16, 4, 16))
    return network.eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[nn.Module, dict[str, Path]]:
    """A Brevitas network and the two files its exporters write."""
    from brevitas.export import export_onnx_qcdq, export_qonnx

    network, folder, example = brevitas_network(), tmp_path_factory.mktemp("exported"), torch.zeros(1, 4, 16)
    paths = {kind: folder / f"{kind}.onnx" for kind in ("qonnx", "qcdq")}
    export_qonnx(network, example, str(paths["qonnx"]), dynamo=False)
    export_onnx_qcdq(network, example, str(paths["qcdq"]), dynamo=False)
    return network, paths


def count(model: nn.Module, inputs: torch.Tensor) -> Workload:
    return observe(model, inputs, name="net", mode="window", step_rate_hz=100.0, input_bits=32)


def figures(layer: LayerWork) -> dict[str, object]:
    """All of a layer but its names."""
    values = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    return {name: value for name, value in values.items() if name not in {"name", "weights_key"}}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["qonnx", "qcdq"])
def test_a_file_has_the_workload_of_the_brevitas_module(exported, kind):
    module, paths = exported
    network, inputs = read_network(paths[kind]), torch.randn(5, 4, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), module(inputs), rtol=0, atol=1e-6)
    file, theirs = count(network, inputs), count(module, inputs)
    assert file.complete
    assert [figures(layer) for layer in file.layers] == [figures(layer) for layer in theirs.layers]
    assert (file.products, file.weight_bits_total) == (theirs.products, theirs.weight_bits_total)
    conv, readout = (layer for layer in file.layers if layer.products)
    assert (conv.arithmetic, conv.weight_bits, conv.activation_bits) == ("integer", 4, 8)
    assert (readout.weight_bits, readout.activation_bits, readout.bias_bits) == (3, 4, 32)
    assert 0 < conv.weights_nonzero < conv.weights


@pytest.mark.filterwarnings("ignore")
def test_products_and_weight_bits_are_those_of_qonnx(exported):
    """An independent counter on the same file: MACs by operand widths, weights with and without zeros."""
    from qonnx.util.inference_cost import inference_cost

    path = exported[1]["qonnx"]
    dense, sparse = (
        inference_cost(str(path), discount_sparsity=discount)["total_cost"] for discount in (False, True)
    )
    layers = [layer for layer in count(read_network(path), torch.randn(2, 4, 16)).layers if layer.products]
    for layer in layers:
        full, form = layer.products.dense_full, f"SCALEDINT<{layer.activation_bits}>_SCALEDINT<{layer.weight_bits}>"
        assert full.multiply_accumulate.mean + full.accumulate.mean == dense[f"op_mac_{form}"]
        assert layer.weights == dense[f"mem_w_SCALEDINT<{layer.weight_bits}>"]
        assert layer.weights_nonzero == sparse[f"mem_w_SCALEDINT<{layer.weight_bits}>"]
    # 6 maps x 12 steps x 4 channels x 5 taps, and 18 x 3
    assert dense["total_macs"] == 6 * 12 * 20 + 54
    assert sum(layer.weights * layer.weight_bits for layer in layers) == dense["total_mem_w_bits"]


def quantiser_file(path: Path, nodes: list, weights: dict[str, np.ndarray], axes: tuple = ("n", 6)) -> Path:
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, axes)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )  # fmt: skip
    sets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 2)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=sets), str(path))
    return path


def scalars(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array(value, np.float32) for name, value in values.items()}


SIGNAL = np.array([[-3.0, -0.6, -0.25, 0.25, 0.75, 9.0], [0.5, -0.5, 1.5, -1.5, 0.0, 0.1]], np.float32)


@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize(("signed", "narrow", "zero"), [(1, 1, 0), (1, 0, 0), (0, 0, 0), (0, 0, 3), (0, 1, 0)])
def test_quantisers_round_as_qonnx_does(tmp_path, signed, narrow, zero, rounding):
    from qonnx.custom_op.general.intquant import int_quant

    options = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], "grid", domain=DOMAIN, **options)
    network = read_network(quantiser_file(tmp_path / "net.onnx", [node], scalars(s=0.5, z=zero, b=4)))
    wanted = int_quant(SIGNAL, np.float32(0.5), np.float32(zero), np.float32(4), signed, narrow, rounding)
    np.testing.assert_array_equal(network(torch.from_numpy(SIGNAL)).numpy(), wanted)


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND"])
def test_truncation_shifts_as_qonnx_does(tmp_path, rounding):
    from qonnx.custom_op.general.trunc import trunc_v2

    codes = 0.25 * np.array([[5, 3, 2, 1, 0, 60]], np.float32)
    inputs, options = ["x", "s", "z", "b", "t", "o"], {"signed": 0, "narrow": 0, "rounding_mode": rounding}
    node = helper.make_node("Trunc", inputs, ["y"], "shift", domain=DOMAIN, **options)
    values = scalars(s=0.25, z=0, b=6, t=1.0, o=4)
    network = read_network(quantiser_file(tmp_path / "net.onnx", [node], values, (1, 6)))
    wanted = trunc_v2(codes, *(values[name] for name in ("s", "z", "b")), 0, 0, values["t"], values["o"], rounding)
    np.testing.assert_array_equal(network(torch.from_numpy(codes)).numpy(), wanted)
    (layer,) = count(network, torch.from_numpy(codes)).layers
    assert (layer.output_bits, layer.operations["requantise"].total) == (4, 6)


def test_binary_weights_are_sign_adds(tmp_path):
    weights = np.array([[0.3, -0.2], [0.0, 0.1], [-2.0, 1.0]], np.float32)
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], "grid", domain=DOMAIN, signed=1, narrow=1),
        helper.make_node("BipolarQuant", ["w", "ws"], ["wq"], "signs", domain=DOMAIN),
        helper.make_node("MatMul", ["q", "wq"], ["y"], "product"),
    ]
    constants = {**scalars(s=0.5, z=0, b=3, ws=0.1), "w": weights}
    network = read_network(quantiser_file(tmp_path / "net.onnx", nodes, constants, ("n", 3)))
    inputs = torch.tensor([[0.5, 1.0, -9.0]])
    # Codes 1, 2, -3 of -3..3; signs (1, -1), (1, 1), (-1, 1) times .1 x .5
    np.testing.assert_allclose(network(inputs).numpy(), [[0.05 * (1 + 2 + 3), 0.05 * (-1 + 2 - 3)]], rtol=1e-6)
    layer = count(network, inputs).layers[1]
    assert (layer.weight_bits, layer.weight_form, layer.weights_nonzero, layer.weights_key) == (1, "binary", 6, "w")
    assert layer.accumulator_bits == 5  # three codes of at most 3 in magnitude: -9..9
    effective = layer.products.effective
    assert (effective.accumulate.total, effective.multiply_accumulate.total) == (6, 0)


def test_a_function_before_a_quantiser_is_its_table(tmp_path):
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], "grid", domain=DOMAIN, signed=1, narrow=1),
        helper.make_node("Sigmoid", ["q"], ["f"], "function"),
        helper.make_node("Quant", ["f", "t", "z", "c"], ["y"], "table", domain=DOMAIN, signed=0, narrow=0),
    ]
    network = read_network(quantiser_file(tmp_path / "net.onnx", nodes, scalars(s=0.5, t=1 / 255, z=0, b=5, c=8)))
    first, table = count(network, torch.from_numpy(SIGNAL)).layers
    assert (first.name, table.name, table.kind) == ("grid", "table", "activation")
    assert {name: one.total for name, one in table.operations.items()} == {"lookup": 12}
    assert (table.constants, table.constant_bits) == (2**5, 8)


def test_a_signal_with_a_scale_per_channel_is_listed(tmp_path):
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], "grid", domain=DOMAIN, signed=1, narrow=1)
    constants = {**scalars(z=0, b=4), "s": np.linspace(0.1, 0.6, 6, dtype=np.float32)}
    workload = count(read_network(quantiser_file(tmp_path / "net.onnx", [node], constants)), torch.from_numpy(SIGNAL))
    assert [(gap.layer, gap.operation) for gap in workload.uncounted] == [("grid", "quantise")]


@pytest.mark.parametrize(
    ("operator", "inputs", "words"),
    [
        ("Quant", ["x", "x", "z", "b"], "its scale is computed"),
        ("Trunc", ["x", "s", "z", "b", "b"], "its first version"),
        ("FloatQuant", ["x", "s", "z", "b"], "not implemented"),
    ],
)
def test_quantisers_that_cannot_run_are_named(tmp_path, operator, inputs, words):
    node = helper.make_node(operator, inputs, ["y"], "grid", domain=DOMAIN, signed=1, narrow=1)
    with pytest.raises(StudentError, match=f"grid .*{words}"):
        read_network(quantiser_file(tmp_path / "net.onnx", [node], scalars(s=0.5, z=0, b=4)))
