"""Mutated network files end in a network or in one of our errors, whatever bytes or nodes were changed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy_models.errors import CosimError
from students.interchange import as_stream, read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FILES = 250
OPERATORS = (
    "MatMul", "Conv", "GRU", "LSTM", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "Gemm", "Tile",
    "DynamicQuantizeLinear", "QuantizeLinear", "DequantizeLinear", "Reshape", "Quant", "PRelu", "Add", "MaxPool",
)  # fmt: skip
DOMAINS = ("", "my", "qonnx.custom_op.channels_last", "qonnx.custom_op.general", "onnx.brevitas")
VERSIONS = (0, 1, 4, 5, 6, 7, 11, 13, 21, 27, 40)
SIZES = (0, 1, 2, 3, 5, 8)


def whole(rng: np.random.Generator) -> Any:
    """A quantised product, a recurrent layer and a state in one file."""
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
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        nodes, "net", [ends["x"], ends["h"]], [ends["y"], ends["next"]],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def changed(model: Any, dice: random.Random) -> None:
    """Change a node, a stored tensor, an axis or a version."""
    node, stored = dice.choice(model.graph.node), dice.choice(model.graph.initializer)
    names = [name for one in model.graph.node for name in (*one.input, *one.output)]
    port = dice.choice([*model.graph.input, *model.graph.output]).type.tensor_type.shape.dim
    match dice.randrange(9):
        case 0 if node.input:
            node.input[dice.randrange(len(node.input))] = dice.choice([*names, ""])
        case 1:
            node.op_type = dice.choice(OPERATORS)
        case 2 if node.attribute:
            dice.choice(node.attribute).i = dice.choice((-1, *SIZES, 1000))
        case 3:
            stored.dims[:] = [dice.choice((-1, *SIZES)) for _ in range(dice.randrange(4))]
        case 4:
            stored.data_type = dice.randrange(30)
        case 5:
            stored.ClearField("raw_data")
        case 6:
            model.opset_import[0].version = dice.choice(VERSIONS)
        case 7:
            node.domain = dice.choice(DOMAINS)
        case _ if port:
            dice.choice(port).dim_value = dice.choice(SIZES)


def scrambled(data: bytes, dice: random.Random) -> bytes:
    """Return bytes of which some are other ones, left out or put in."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(found))
        found[place : place + dice.choice((0, 1, 30))] = dice.randbytes(dice.choice((0, 1, 8)))
    return bytes(found)


def read(path: Path) -> str:
    """Return what reading a file ended in; anything but a network or one of our errors fails the test."""
    try:
        as_stream(read_network(path, 1e-3 if path.suffix == ".nir" else None))
    except CosimError:
        return "refused"
    return "read"


def test_onnx_files(tmp_path: Path) -> None:
    dice, ends = random.Random(5), Counter[str]()  # noqa: S311
    model = whole(np.random.default_rng(5))
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path))
    assert read(path) == "read"
    for place in range(FILES):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        for _ in range(dice.randint(1, 3)):
            changed(other, dice)
        data = other.SerializeToString()
        path.write_bytes(scrambled(data, dice) if place % 4 == 0 else data)
        ends[read(path)] += 1
    assert ends["refused"] > FILES / 4
    assert ends["read"] > 0


def test_nir_files(tmp_path: Path) -> None:
    h5py: Any = pytest.importorskip("h5py")
    dice, ends = random.Random(5), Counter[str]()  # noqa: S311
    one = np.full(3, 0.02, np.float32)
    nodes = {"input": nir.Input(np.array([2])), "fc": nir.Linear(np.ones((3, 2), np.float32)),
             "l": nir.CubaLIF(one, one, one, one, one), "output": nir.Output(np.array([3]))}  # fmt: skip
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph(nodes, [("input", "fc"), ("fc", "l"), ("l", "output")]))
    data = path.read_bytes()
    assert read(path) == "read"
    values = (np.float32(0), np.nan, np.inf, -1.0, np.zeros(0), np.ones((3, 2)), b"LIF", b"NIRGraph", "x", 1 + 1j)
    for place in range(FILES):
        path.write_bytes(scrambled(data, dice) if place % 4 == 0 else data)
        if place % 4:
            with h5py.File(path, "r+") as file:
                names: list[str] = []
                file.visit(names.append)
                name = dice.choice(names)
                del file[name]
                if dice.random() < 0.7:
                    file[name] = dice.choice(values)
        ends[read(path)] += 1
    assert ends["refused"] > FILES / 4
    assert ends["read"] > 0
