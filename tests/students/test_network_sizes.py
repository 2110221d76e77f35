"""Network files that state sizes no network has: refused in a moment, before anything of that size is allocated."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy_models.errors import CosimError, StudentError
from students.architectures import load_architecture
from students.interchange import read_network

BIG = 10**9
onnx: Any = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper


@pytest.fixture(autouse=True)
def _at_once() -> Generator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 20


def written(path: Path, nodes: list[Any], **constants: Any) -> Path:
    """Write a graph from x, shape (1, 4, 16), to y."""
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    x = helper.make_tensor_value_info("x", 1, (1, 4, 16))
    y = helper.make_tensor_value_info("y", 1, ("a", "b", "c"))
    graph = helper.make_graph(nodes, "g", [x], [y], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", ["pads", "kernel_shape", "strides", "dilations"])
def test_attributes(tmp_path: Path, name: str) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **{name: [BIG] * (2 if name == "pads" else 1)})
    path = written(tmp_path / "a.onnx", [node], w=np.ones((4, 4, 3), np.float32))
    with pytest.raises(StudentError, match=rf"\(Conv\): {name} is 1e\+09, 16,777,216 at most"):
        read_network(path)


@pytest.mark.parametrize(
    ("operator", "inputs", "value"),
    [
        ("Expand", ["x", "s"], np.array([BIG, 4, 16])),
        ("Tile", ["x", "s"], np.array([1, BIG, 1])),
        ("Pad", ["x", "s"], np.array([0, 0, BIG, 0, 0, BIG])),
        ("Reshape", ["x", "s"], np.array([BIG, -1])),
        ("ConstantOfShape", ["s"], np.array([BIG, 4, 16])),
        ("Resize", ["x", "", "s"], np.array([1, 1, 1e9], np.float32)),
    ],
)
def test_stored_shapes(tmp_path: Path, operator: str, inputs: list[str], value: Any) -> None:
    path = written(tmp_path / "a.onnx", [helper.make_node(operator, inputs, ["y"])], s=value)
    with pytest.raises(StudentError, match=r"s is 1e\+09"):
        read_network(path)


def test_a_pad_value_is_no_size_and_an_end_may_be_the_last(tmp_path: Path) -> None:
    """-inf is padded where a maximum follows, and a slice up to the end says the largest integer."""
    nodes = [helper.make_node("Pad", ["x", "s", "v"], ["p"]), helper.make_node("Slice", ["p", "a", "b", "c"], ["y"])]
    path = written(tmp_path / "a.onnx", nodes, s=np.array([0, 0, 1, 0, 0, 1]), v=np.float32(-np.inf),
                   a=np.array([0]), b=np.array([2**63 - 1]), c=np.array([2]))  # fmt: skip
    assert read_network(path) is not None


def test_a_tensor_of_more_elements_than_bytes(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[BIG, 4, 3], raw_data=b"\0" * 16)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", 1, (1, 4, 16))],
        [helper.make_tensor_value_info("y", 1, ("a", "b", "c"))], [tensor],
    )
    (tmp_path / "a.onnx").write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    with pytest.raises(StudentError):
        read_network(tmp_path / "a.onnx")


def test_nir_groups_within_themselves_and_arrays_of_terabytes(tmp_path: Path) -> None:
    h5py: Any = pytest.importorskip("h5py")
    pytest.importorskip("nir")
    with h5py.File(tmp_path / "loop.nir", "w") as file:
        node = file.create_group("node")
        node["again"] = node
    with h5py.File(tmp_path / "large.nir", "w") as file:
        file.create_dataset("weight", shape=(BIG, BIG), dtype="f4", chunks=(1024, 1024))
    for name in ("loop", "large"):
        with pytest.raises(StudentError, match="damaged, or no NIR file"):
            read_network(tmp_path / f"{name}.nir")


ARCHITECTURE = """
name = "a"
title = "A"
task = "none"
source = "{source}"
where = "nowhere"
outputs = [4]
assumed = []
input = {{ channels = {channels}, steps = 16, rate_hz = 100.0 }}
{layers}
"""


@pytest.mark.parametrize(
    ("channels", "layers", "said"),
    [
        (4, '[[layers]]\nkind = "repeat"\ntimes = 1000000000\nlayers = [{ kind = "flip", axis = 1 }]', "1,000,000,000"),
        (4, '[[layers]]\nkind = "linear"\nout = 1000000000', "layers.0.out: above 1,048,576"),
        (BIG, '[[layers]]\nkind = "linear"\nout = 4', "input: 16,000,000,000 values"),
    ],
)
def test_architectures(tmp_path: Path, channels: int, layers: str, said: str) -> None:
    from energy_models.quantities import load_sources

    path = tmp_path / "a.toml"
    path.write_text(ARCHITECTURE.format(channels=channels, layers=layers, source=min(load_sources())))
    with pytest.raises(CosimError) as caught:
        load_architecture(path)
    assert said in str(caught.value)


def test_repeats_of_repeats_are_multiplied(tmp_path: Path) -> None:
    from energy_models.quantities import load_sources

    inner = '{ kind = "repeat", times = 200, layers = [{ kind = "flip", axis = 1 }] }'
    layers = f'[[layers]]\nkind = "repeat"\ntimes = 200\nlayers = [{inner}]'
    path = tmp_path / "a.toml"
    path.write_text(ARCHITECTURE.format(channels=4, layers=layers, source=min(load_sources())))
    with pytest.raises(CosimError, match="40,000 with those that are repeated, 10,000 at most"):
        load_architecture(path)
