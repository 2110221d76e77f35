"""Network files: ONNX with integers, recurrence and state; QONNX; NIR; TensorFlow Lite."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import h5py
import nir
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cosim.api.count import count
from tests.robustness.kind import Kind
from tests.robustness.mild import factor
from tests.robustness.sound import check_counts

OPERATORS = (
    "MatMul", "Conv", "GRU", "LSTM", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "Gemm", "Tile",
    "DynamicQuantizeLinear", "QuantizeLinear", "DequantizeLinear", "Reshape", "Quant", "PRelu", "Add", "MaxPool",
    "Loop", "If", "Scan", "Einsum", "Resize", "Pad", "Expand", "Range", "ConstantOfShape", "RandomNormal", "Identity",
    "BipolarQuant", "Trunc", "RNN", "ConvTranspose", "Transpose", "Slice", "Concat", "Softmax", "BatchNormalization",
)  # fmt: skip
DOMAINS = (
    "",
    "my",
    "qonnx.custom_op.channels_last",
    "qonnx.custom_op.general",
    "onnx.brevitas",
    "ai.onnx.ml",
    "\u0000",
)
VERSIONS = (0, -1, 1, 4, 5, 6, 7, 11, 13, 21, 27, 40, 2**31)
SIZES = (0, 1, 2, 3, 5, 8)
RATE_HZ, STEPS = 100.0, 5
GENERAL = "qonnx.custom_op.general"


def _model(nodes: list[Any], stored: dict[str, Any], shapes: dict[str, tuple[int, ...]], inputs: int) -> Any:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    kept = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "net", ends[:inputs], ends[inputs:], kept)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(GENERAL, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def _onnx(folder: Path) -> Path:
    """Write a quantised product, a recurrent layer and a state in one file."""
    rng = np.random.default_rng(5)
    stored = {
        "w": rng.integers(-9, 9, (4, 3)).astype(np.int8), "s": np.float32(0.1), "z": np.uint8(3), "o": np.int8(0),
        "a": rng.standard_normal((1, 18, 3)).astype(np.float32),
        "b": rng.standard_normal((1, 18, 6)).astype(np.float32), "axes": np.array([0]),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "in"),
        helper.make_node("QLinearMatMul", ["q", "s", "z", "w", "s", "o", "s", "z"], ["p"], "product"),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["d"], "out"),
        helper.make_node("Unsqueeze", ["d", "axes"], ["e"], "steps"),
        helper.make_node("GRU", ["e", "a", "b", "", "", "h"], ["y", "next"], "cell", hidden_size=6),
    ]
    shapes = {"x": (1, 4), "h": (1, 1, 6), "y": (1, 1, 1, 6), "next": (1, 1, 6)}
    onnx.save(_model(nodes, stored, shapes, 2), str(folder / "net.onnx"))
    return folder / "net.onnx"


def _onnx_plain(folder: Path) -> Path:
    """Write a convolution, a norm, a pool and a linear layer."""
    rng = np.random.default_rng(6)
    stored = {"k": rng.standard_normal((4, 3, 5)), "l": rng.standard_normal((2, 32)), "c": rng.standard_normal(2),
              "n": np.ones(4), "m": np.zeros(4)}  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["y"], "conv", pads=[2, 2], strides=[1], group=1, dilations=[1]),
        helper.make_node("BatchNormalization", ["y", "n", "m", "m", "n"], ["b"], "norm", epsilon=1e-5),
        helper.make_node("Relu", ["b"], ["r"], "relu"),
        helper.make_node("AveragePool", ["r"], ["p"], "pool", kernel_shape=[2], strides=[2]),
        helper.make_node("Flatten", ["p"], ["f"], "flat", axis=1),
        helper.make_node("Gemm", ["f", "l", "c"], ["o"], "head", transB=1),
    ]
    kept = {name: array.astype(np.float32) for name, array in stored.items()}
    onnx.save(_model(nodes, kept, {"x": (1, 3, 16), "o": (1, 2)}, 1), str(folder / "plain.onnx"))
    return folder / "plain.onnx"


def _qonnx(folder: Path) -> Path:
    """Write a product of quantised weights and activations, as Brevitas exports it."""
    rng = np.random.default_rng(7)
    stored = {"w": rng.standard_normal((4, 3)).astype(np.float32), "s": np.float32(0.1), "z": np.float32(0),
              "b": np.float32(4)}  # fmt: skip
    how = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", "domain": GENERAL}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["xq"], "in", **how),
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], "weights", **how),
        helper.make_node("MatMul", ["xq", "wq"], ["p"], "product"),
        helper.make_node("Relu", ["p"], ["y"], "relu"),
    ]
    onnx.save(_model(nodes, stored, {"x": (1, 4), "y": (1, 3)}, 1), str(folder / "quantised.onnx"))
    return folder / "quantised.onnx"


def in_graph(path: Path, dice: Random) -> str:  # noqa: PLR0915  (a case for each change)
    """Change a node, a stored tensor, an axis or a version."""
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    node, stored = dice.choice(graph.node), dice.choice(graph.initializer)
    names = [name for one in graph.node for name in (*one.input, *one.output)]
    port = dice.choice([*graph.input, *graph.output]).type.tensor_type
    act = dice.randrange(17)
    match act:
        case 0 if node.input:
            node.input[dice.randrange(len(node.input))] = dice.choice([*names, ""])
        case 1:
            node.op_type = dice.choice(OPERATORS)
        case 2 if node.attribute:
            one = dice.choice(node.attribute)
            one.i = dice.choice((-1, *SIZES, 1000, 2**62))
            if one.ints:
                one.ints[dice.randrange(len(one.ints))] = dice.choice((-1, *SIZES, 2**40))
        case 3:
            stored.dims[:] = [dice.choice((-1, *SIZES, 2**40)) for _ in range(dice.randrange(4))]
        case 4:
            stored.data_type = dice.randrange(30)
        case 5:
            stored.ClearField("raw_data")
        case 6:
            model.opset_import[0].version = dice.choice(VERSIONS)
        case 7:
            node.domain = dice.choice(DOMAINS)
        case 8 if port.shape.dim:
            dice.choice(port.shape.dim).dim_value = dice.choice((*SIZES, -1, 10**6, 2**40))
        case 9 if port.shape.dim:
            dice.choice(port.shape.dim).dim_param = dice.choice(("N", "", "batch"))
        case 10:
            graph.node.remove(node)
        case 11:
            graph.node.append(node)
        case 12:
            fill = dice.choice((math.nan, math.inf, 1e38, 0.0, -1.0))
            stored.CopyFrom(numpy_helper.from_array(np.full(tuple(stored.dims), fill, np.float32), stored.name))
        case 13:
            stored.data_location = TensorProto.EXTERNAL
            entry = stored.external_data.add()
            entry.key, entry.value = "location", dice.choice(("../../weights", "/etc/hostname", "gone.bin", path.name))
        case 14:
            port.elem_type = dice.randrange(25)
        case 15:
            graph.initializer.remove(stored)
        case 16:
            order = dice.sample(list(graph.node), len(graph.node))
            del graph.node[:]
            graph.node.extend(order)
        case _:
            node.output[0] = dice.choice(names)
    path.write_bytes(model.SerializeToString())
    return f"{node.name} / {stored.name} change {act}"


def _nir(folder: Path) -> Path:
    one = np.full(3, 0.02, np.float32)
    nodes = {"input": nir.Input(np.array([2])), "fc": nir.Linear(np.ones((3, 2), np.float32)),
             "l": nir.CubaLIF(one, one, one, one, one), "output": nir.Output(np.array([3]))}  # fmt: skip
    nir.write(folder / "net.nir", nir.NIRGraph(nodes, [("input", "fc"), ("fc", "l"), ("l", "output")]))
    return folder / "net.nir"


def in_hdf5(path: Path, dice: Random) -> str:
    """Drop, rename or replace something in an HDF5 file."""
    replaced = (np.float32(0), np.nan, np.inf, -1.0, np.zeros(0), np.ones((3, 2)), b"LIF", b"NIRGraph", "x", 1 + 1j,
                np.full(3, np.nan), np.full(3, 1e38, np.float32), np.zeros(3, np.int64), 2**62,
                b"\xff\xfe")  # fmt: skip
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = dice.choice(names)
        act = dice.choice(("drop", "replace", "replace", "replace", "rename", "link", "huge", "loop", "outside"))
        if act == "rename":
            file.move(name, f"{name}_")
        else:
            del file[name]
        match act:
            case "replace":
                file[name] = dice.choice(replaced)
            case "link":
                file[name] = h5py.SoftLink("/gone")
            case "huge":
                file.create_dataset(name, shape=(1 << dice.choice((20, 40)),), dtype="f8", chunks=(1024,))
            case "loop":
                file[name] = h5py.SoftLink(f"/{name}")
            case "outside":
                file[name] = h5py.ExternalLink("other.h5", "/x")
    return f"{name} {act}"


def _onnx_words(path: Path, dice: Random) -> str:
    """Write other words of a tool, and weights of the other sign."""
    model = onnx.load(str(path))
    model.producer_name, model.doc_string = "a tool", "made on a day"
    model.graph.node[0].doc_string = "first"
    for one in model.graph.initializer:
        if one.data_type == TensorProto.FLOAT and len(one.dims) > 1 and dice.random() < 0.5:
            one.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(one), one.name))
    onnx.save(model, str(path))
    return "words of a tool"


def _nir_words(path: Path, dice: Random) -> str:
    with h5py.File(path, "r+") as file:
        file.attrs["tool"] = "a tool"
        file["node/nodes/fc/weight"][...] *= factor(dice)
    return "words of a tool"


def _tflite(folder: Path, values: np.ndarray | None = None) -> Path:
    """Write a dense layer of eight bits and a table of activations."""
    import tflite

    from tests.students.tflite_files import Flat

    weights = np.random.default_rng(8).integers(1, 100, (3, 4)) if values is None else values
    flat = Flat()
    signal, hidden, out = (flat.tensor((1, size), np.int8, steps=(0.05, 3)) for size in (4, 3, 3))
    stored = flat.tensor(values=weights.astype(np.int8), steps=(np.full(3, 0.01), np.zeros(3)))
    bias = flat.tensor(values=np.arange(3, dtype=np.int32), steps=(np.full(3, 5e-4), np.zeros(3)))
    flat.operator("FULLY_CONNECTED", [signal, stored, bias], [hidden], "FullyConnectedOptions",
                  FusedActivationFunction=tflite.ActivationFunctionType.RELU)  # fmt: skip
    flat.operator("LOGISTIC", [hidden], [out])
    return flat.write(folder / "net.tflite", [signal], [out])


def _tflite_weights(path: Path, dice: Random) -> str:
    _tflite(path.parent, np.array([dice.randrange(1, 100) for _ in range(12)]).reshape(3, 4))
    return "other weights"


def _in_flatbuffer(path: Path, dice: Random) -> str:
    """Write another small number at an aligned place: offsets, sizes, shapes, kinds of operators and tensors."""
    data = bytearray(path.read_bytes())
    width = dice.choice((1, 2, 4))
    at = dice.randrange(len(data) // width) * width
    value = dice.choice((0, 1, 2, 3, 5, 9, 32, 127, 255)) if dice.random() < 0.7 else (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, "little")
    path.write_bytes(bytes(data))
    return f"{value} at {at}"


def _read(path: Path) -> None:
    shape = {"net.onnx": (4, STEPS), "net.nir": (2, STEPS), "net.tflite": (4,)}.get(path.name)
    check_counts(count(path, input_shape=shape, rate_hz=RATE_HZ, decodes=2))


NETWORKS = (
    Kind("onnx", _onnx, _read, _onnx_words, (in_graph,), weight=2),
    Kind("onnx_plain", _onnx_plain, _read, _onnx_words, (in_graph,), weight=2),
    Kind("qonnx", _qonnx, _read, _onnx_words, (in_graph,), weight=2),
    Kind("nir", _nir, _read, _nir_words, (in_hdf5,), weight=2),
    Kind("tflite", _tflite, _read, _tflite_weights, (_in_flatbuffer,), weight=2),
)
