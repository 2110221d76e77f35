"""ONNX files: every operator against ONNX's own cases, whole networks against torch's counts, every refusal."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.counting import observe
from students.interchange import absent_weights, example_shape, read_network
from students.interchange.onnx_file import VERSIONS, read_graph
from students.interchange.onnx_graph import OnnxGraph
from students.interchange.operators.table import builder_of

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

CASES = Path(onnx.__file__).parent / "backend/test/data/node"

NOT_IN_TORCH = (
    "_uint16", "_uint32", "_uint64", "_empty_set", "_opt", "sequence", "resize_downsample", "resize_upsample_sizes",
)  # fmt: skip
"""Values and element types torch does not compute with, and resizing by fractions: errors, never other numbers."""


def save(path: Path, nodes: list, weights: dict[str, np.ndarray], axes: tuple, rank: int = 2, **options) -> Path:
    """Write a graph with one input 'x' and one output 'y' of so many axes."""
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"y{place}" for place in range(rank)])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    options.setdefault("opset_imports", [helper.make_opsetid("", 17)])
    onnx.save(helper.make_model(graph, ir_version=8, **options), str(path))
    return path


def count(model: nn.Module, inputs: torch.Tensor, **options):
    return observe(model, inputs, name="net", mode="window", step_rate_hz=100.0, input_bits=32, **options)


def numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def proto_of(path: Path) -> torch.Tensor:
    proto = TensorProto()
    proto.ParseFromString(path.read_bytes())
    return torch.from_numpy(np.array(numpy_helper.to_array(proto)))


def case_of(folder: Path) -> tuple[OnnxGraph, torch.Tensor, list[torch.Tensor]] | None:
    """One of ONNX's cases, its first input a signal and the others stored; None where it is refused as it should be."""
    try:
        graph = read_graph(folder / "model.onnx")
        if any(builder_of(node) is None for node in graph.nodes):
            return None
        data = folder / "test_data_set_0"
        inputs, outputs = (
            [proto_of(data / f"{kind}_{place}.pb") for place in range(len(list(data.glob(f"{kind}_*.pb"))))]
            for kind in ("input", "output")
        )
        if not inputs:
            return None
        stored = {port.name: value for port, value in zip(graph.inputs[1:], inputs[1:], strict=True)}
        constants = {**graph.constants, **stored}
        nodes = tuple(replace(node, constants=constants) for node in graph.nodes)
        return OnnxGraph(replace(graph, nodes=nodes, constants=constants, inputs=graph.inputs[:1])), inputs[0], outputs
    except (StudentError, TypeError):  # TypeError: an element type that torch has not
        return None


def test_every_operator_agrees_with_onnx_own_cases():
    right: Counter[str] = Counter()
    for folder in sorted(CASES.iterdir()):
        case = None if any(part in folder.name for part in NOT_IN_TORCH) else case_of(folder)
        if case is None:
            continue
        network, signal, wanted = case
        with torch.no_grad():
            found = network._once([signal])
        for one, other in zip(found, wanted, strict=False):
            assert one.dtype == other.dtype, folder.name
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-5, err_msg=folder.name)
        right.update(node.operator for node in network.graph.nodes)
    assert sum(right.values()) > 800
    listed = {
        "Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "BatchNormalization", "InstanceNormalization",
        "GroupNormalization", "AveragePool", "MaxPool", "GlobalAveragePool", "LSTM", "RNN", "Softmax",
        "LogSoftmax", "Gelu", "Elu", "Selu", "HardSigmoid", "Slice", "Split", "Pad", "Gather", "Resize", "CumSum",
        "DepthToSpace", "ReduceL2", "ReduceMean", "ArgMax", "Where", "Cast", "Range", "Expand", "Tile", "Clip",
    }  # fmt: skip
    assert listed <= set(right)


def eegnet_like(path: Path) -> tuple[Path, nn.Module]:
    """A convolution over steps, a spatial one, a linear readout: the file, and the same network in torch."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 4, (1, 8), padding=(0, 4), bias=False), nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, (6, 1), groups=4, bias=False), nn.BatchNorm2d(8), nn.ELU(),
        nn.AvgPool2d((1, 4)), nn.Flatten(), nn.Linear(8 * 8, 3),
    ).eval()  # fmt: skip
    for norm in (model[1], model[3]):
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            nn.init.normal_(tensor)
    model[7].weight.data[0, :20] = 0.0
    names = ("weight", "bias", "running_mean", "running_var")
    weights = {
        f"{place}.{name}": getattr(model[place], name).detach().numpy() for place in (1, 3) for name in names
    } | {
        f"{place}.weight": model[place].weight.detach().numpy() for place in (0, 2, 7)
    } | {"7.bias": model[7].bias.detach().numpy()}  # fmt: skip

    def norm_node(place: int, source: str, target: str):
        return helper.make_node(
            "BatchNormalization", [source, *(f"{place}.{name}" for name in names)], [target], f"norm{place}"
        )

    nodes = [
        helper.make_node("Conv", ["x", "0.weight"], ["a"], "temporal", kernel_shape=[1, 8], pads=[0, 4, 0, 4]),
        norm_node(1, "a", "b"),
        helper.make_node("Conv", ["b", "2.weight"], ["c"], "spatial", kernel_shape=[6, 1], group=4),
        norm_node(3, "c", "d"),
        helper.make_node("Elu", ["d"], ["e"], "elu"),
        helper.make_node("AveragePool", ["e"], ["f"], "pool", kernel_shape=[1, 4], strides=[1, 4]),
        helper.make_node("Flatten", ["f"], ["g"], "flat"),
        helper.make_node("Gemm", ["g", "7.weight", "7.bias"], ["y"], "classifier", transB=1),
    ]
    return save(path, nodes, weights, ("n", 1, 6, 32)), model


def test_a_file_counts_as_its_torch_module_does(tmp_path):
    path, model = eegnet_like(tmp_path / "net.onnx")
    network, inputs = read_network(path), torch.from_numpy(numbers((3, 1, 6, 32), 0))
    torch.testing.assert_close(network(inputs), model(inputs))
    file, module = count(network, inputs), count(model, inputs)
    assert file.complete
    assert [layer.name for layer in file.layers] == ["temporal", "spatial", "elu", "pool", "classifier"]
    for ours, theirs in zip(file.layers, module.layers, strict=True):
        assert replace(ours, name="", weights_key="") == replace(theirs, name="", weights_key="")
    assert [layer.weights_key for layer in file.layers if layer.weights_key] == ["0.weight", "2.weight", "7.weight"]
    # 4 filters x 6 channels x 33 steps x 8 taps; padding taps are zeros and need no multiplier
    full = file.layers[0].products.dense_full
    assert full.multiply_accumulate.mean + full.accumulate.mean == 4 * 6 * 33 * 8


def test_outputs_are_those_of_onnxruntime(tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    path, _ = eegnet_like(tmp_path / "net.onnx")
    inputs = numbers((3, 1, 6, 32), 1)
    (wanted,) = runtime.InferenceSession(str(path)).run(None, {"x": inputs})
    np.testing.assert_allclose(read_network(path)(torch.from_numpy(inputs)).detach().numpy(), wanted, atol=1e-5)


class Recurrent(nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        self.layer = getattr(nn, kind)(5, 4, num_layers=2, bidirectional=True)
        self.readout = nn.Linear(8, 2)

    def forward(self, signal):
        return self.readout(self.layer(signal.permute(2, 0, 1))[0][-1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu", dropout=0.0)

    def forward(self, signal):
        return self.layer(self.embed(signal.transpose(1, 2))).mean(1)


@pytest.mark.parametrize("axes", [None, {"x": {0: "n"}}], ids=["one example", "any batch"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "attention"])
@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports_counts_as_the_module(kind, axes, tmp_path):
    torch.manual_seed(5)
    model = Attention() if kind == "attention" else Recurrent(kind)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    model, path, inputs = model.eval(), tmp_path / "net.onnx", torch.from_numpy(numbers((3, 5, 12), 2))
    torch.onnx.export(model, (inputs[:1],), str(path), input_names=["x"], dynamic_axes=axes, dynamo=False)
    network = read_network(path)
    torch.testing.assert_close(network(inputs), model(inputs), rtol=1e-4, atol=1e-5)
    file, module = count(network, inputs), count(model, inputs)
    assert file.complete
    assert file.products == module.products
    ours, theirs = ([one.products for one in workload.layers if one.products] for workload in (file, module))
    assert ours == theirs
    assert sum(one.weights for one in file.layers) == sum(one.weights for one in module.layers)
    assert sum(one.biases for one in file.layers) == sum(one.biases for one in module.layers)


def test_a_product_with_an_added_constant_is_one_layer(tmp_path):
    weights = {"w": numbers((4, 3), 0), "b": numbers((3,), 1)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], "dense"), helper.make_node("Add", ["b", "a"], ["y"], "plus")]
    network = read_network(save(tmp_path / "net.onnx", nodes, weights, ("n", 7, 4), rank=3))
    inputs = torch.from_numpy(numbers((2, 7, 4), 2))
    np.testing.assert_allclose(network(inputs).detach(), inputs.numpy() @ weights["w"] + weights["b"], atol=1e-6)
    (layer,) = count(network, inputs).layers
    assert (layer.name, layer.weights, layer.biases) == ("dense", 12, 3)
    assert layer.operations["add"].mean == 7 * 3


def test_a_sum_that_something_else_reads_stays_a_sum(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "dense"),
        helper.make_node("Add", ["a", "b"], ["c"], "plus"),
        helper.make_node("Mul", ["a", "c"], ["y"], "times"),
    ]
    weights = {"w": numbers((4, 3), 0), "b": numbers((3,), 1)}
    layers = count(read_network(save(tmp_path / "net.onnx", nodes, weights, ("n", 4))), torch.ones(1, 4)).layers
    assert [layer.name for layer in layers] == ["dense", "plus", "times"]


def test_shared_weights_are_stored_once(tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "enc.w"], ["a"], "first", transB=1),
        helper.make_node("Gemm", ["a", "enc.w"], ["y"], "second", transB=1),
    ]
    network = read_network(save(tmp_path / "net.onnx", nodes, {"enc.w": numbers((4, 4), 0)}, ("n", 4)))
    workload = count(network, torch.ones(1, 4))
    assert [layer.name for layer in workload.layers] == ["first", "second"]
    assert workload.weight_bits_total == 16 * 32
    assert list(network.state_dict()) == ["enc.w"]


def test_counts_do_not_depend_on_how_many_examples_run_at_once(tmp_path):
    """A file made for one example at a time gives the counts of an open one, in batches too."""
    path, _ = eegnet_like(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, str(tmp_path / "one.onnx"))
    inputs = torch.from_numpy(numbers((5, 1, 6, 32), 4))
    one, many = read_network(tmp_path / "one.onnx"), read_network(path)
    torch.testing.assert_close(one(inputs), many(inputs))
    assert count(one, inputs, batch_size=4).layers == count(many, inputs, batch_size=4).layers


def test_axes_of_size_one_may_be_left_out(tmp_path):
    network = read_network(eegnet_like(tmp_path / "net.onnx")[0])
    inputs = torch.from_numpy(numbers((2, 6, 32), 4))
    assert torch.equal(network(inputs), network(inputs.unsqueeze(1)))


# --- what is refused ---------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(StudentError) as caught:
        read_network(path)
    return str(caught.value)


def test_all_nodes_that_cannot_run_are_listed_at_once(tmp_path):
    nodes = [
        helper.make_node("NonZero", ["x"], ["a"], "where"),
        helper.make_node("Relu", ["x"], ["r"], "fine"),
        helper.make_node("Mystery", ["r"], ["y"], "odd", domain="my.own"),
    ]
    text = refusal(save(tmp_path / "net.onnx", nodes, {}, ("n", 4)))
    assert "2 of 3 nodes" in text
    assert "where (NonZero" in text
    assert "odd (my.own.Mystery" in text
    assert "fine" not in text


def test_variants_that_cannot_run_are_listed_at_once(tmp_path):
    weights = {"w": numbers((1, 6, 3), 0), "r": numbers((1, 6, 2), 1)}
    nodes = [
        helper.make_node("GRU", ["x", "w", "r"], ["a"], "cell", hidden_size=2, clip=3.0),
        helper.make_node("AveragePool", ["a"], ["y"], "pool", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
    ]
    text = refusal(save(tmp_path / "net.onnx", nodes, weights, (5, "n", 3), rank=4))
    assert "cell (GRU: clip = 3.0)" in text
    assert "pool (AveragePool: this padding" in text


def test_damaged_and_foreign_files(tmp_path):
    whole = eegnet_like(tmp_path / "net.onnx")[0].read_bytes()
    for name, content in {"half": whole[: len(whole) // 2], "empty": b"", "text": b"not a network at all"}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        assert "no ONNX file" in refusal(path)
    assert "cannot open it" in refusal(tmp_path / "absent.onnx")
    assert "Known: .onnx, .nir" in refusal(tmp_path / "net.pt")


def test_an_operator_set_of_the_future(tmp_path):
    node = [helper.make_node("Relu", ["x"], ["y"], "relu")]
    late = save(tmp_path / "net.onnx", node, {}, ("n", 4), opset_imports=[helper.make_opsetid("", VERSIONS[-1] + 1)])
    assert f"operator set {VERSIONS[-1] + 1}" in refusal(late)


def test_a_graph_that_breaks_the_rules(tmp_path):
    nodes = [helper.make_node("Relu", ["nowhere"], ["y"], "relu")]
    assert "no valid ONNX graph" in refusal(save(tmp_path / "net.onnx", nodes, {}, ("n", 4)))


def test_several_inputs_are_named(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "state"], ["y"], "sum")], "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "state")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, ir_version=8), str(tmp_path / "net.onnx"))
    network = read_network(tmp_path / "net.onnx")
    with pytest.raises(StudentError, match=r"Give: x \(1, 4\), state \(1, 4\)"):
        network(torch.zeros(1, 4))
    assert torch.equal(network(state=torch.ones(1, 4), x=torch.ones(1, 4)), torch.full((1, 4), 2.0))


def test_weights_in_another_file_are_read_from_the_same_folder_only(tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    path, model = eegnet_like(folder / "net.onnx")
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    inputs = torch.from_numpy(numbers((1, 1, 6, 32), 0))
    torch.testing.assert_close(read_network(path)(inputs), model(inputs))
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    assert absent_weights(read_network(path))  # shapes only, which test_network_shapes counts
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert "no file in its folder" in refusal(path)
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").write_bytes((tmp_path / "weights.bin").read_bytes()[:100])
    assert "is damaged" in refusal(path)
    proto = onnx.load(str(path), load_external_data=False)
    proto.graph.initializer[0].external_data[0].value = "../weights.bin"
    path.write_bytes(proto.SerializeToString())
    assert "no file in its folder" in refusal(path)


def test_open_axes_need_a_shape(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"], "relu")]
    network = read_network(save(tmp_path / "net.onnx", nodes, {}, ("n", 22, "steps"), rank=3))
    assert example_shape(network, (22, 256)) == (22, 256)
    with pytest.raises(StudentError, match=r"22 x open.*--input-shape"):
        example_shape(network)
    with pytest.raises(StudentError, match="22 x open"):
        example_shape(network, (21, 256))
    with pytest.raises(StudentError, match="any x 22 x any"):
        network(torch.zeros(1, 21, 8))
    assert example_shape(read_network(eegnet_like(tmp_path / "b.onnx")[0])) == (1, 6, 32)


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    path, _ = eegnet_like(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'cosim[export]'" in refusal(path)
