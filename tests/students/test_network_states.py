"""Files that take a state and return the next, files of several signals, and files without their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim import count as count_file
from energy_models.errors import StudentError
from students.interchange import absent_weights, as_stream, read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def value(name: str, shape: tuple[Any, ...]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def elman(
    path: Path, outputs: tuple[str, ...] = ("y", "next"), examples: Any = 1
) -> tuple[Path, dict[str, np.ndarray]]:
    """One step: ``next = tanh(x W + h R)`` of 4 inputs and 3 units, ``y = next V`` of 2."""
    weights = {"w": noise(4, 3), "r": noise(3, 3, seed=1), "v": noise(3, 2, seed=2)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "input"), helper.make_node("MatMul", ["h", "r"], ["b"], "hidden"),
        helper.make_node("Add", ["a", "b"], ["c"], "sum"), helper.make_node("Tanh", ["c"], ["next"], "tanh"),
        helper.make_node("MatMul", ["next", "v"], ["y"], "readout"),
    ]  # fmt: skip
    sizes = {"y": 2, "next": 3}
    graph = helper.make_graph(
        nodes, "net", [value("x", (examples, 4)), value("h", (examples, 3))],
        [value(name, (examples, sizes[name])) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path, weights


@pytest.mark.parametrize("examples", [1, "n"])
def test_a_step_with_a_state_runs_as_a_stream(tmp_path: Path, examples: Any) -> None:
    path, weights = elman(tmp_path / "net.onnx", examples=examples)
    loop = as_stream(read_network(path))
    assert loop is not None
    signal = noise(2, 4, 9, seed=4)
    state, wanted = np.zeros((2, 3), np.float32), []
    for now in signal.transpose(2, 0, 1):
        state = np.tanh(now @ weights["w"] + state @ weights["r"])
        wanted.append(state @ weights["v"])
    with torch.no_grad():
        found = loop(torch.from_numpy(signal)).numpy()
    np.testing.assert_allclose(found, np.stack(wanted, 1), rtol=1e-4, atol=1e-5)
    workload = count_file(path, rate_hz=100)
    assert (workload.mode, workload.complete) == ("stream", True), workload.uncounted
    assert workload.products is not None
    assert workload.products.dense_full.mean == 4 * 3 + 3 * 3 + 3 * 2
    assert sum(layer.state_elements for layer in workload.layers) == 3


def test_the_only_output_may_be_the_state(tmp_path: Path) -> None:
    workload = count_file(elman(tmp_path / "net.onnx", outputs=("next",))[0], rate_hz=100, input_shape=(4, 20))
    assert workload.complete, workload.uncounted
    assert sum(layer.state_elements for layer in workload.layers) == 3


def test_as_a_window_the_inputs_are_signals(tmp_path: Path) -> None:
    path, _ = elman(tmp_path / "net.onnx")
    with pytest.raises(StudentError, match=r"2 inputs: x, h.*\.npz"):
        count_file(path, rate_hz=100, mode="window")
    workload = count_file(path, {"x": noise(3, 4), "h": noise(3, 3)}, rate_hz=100, mode="window")
    assert workload.products is not None
    assert workload.products.dense_full.mean == 4 * 3 + 3 * 3 + 3 * 2


def test_inputs_that_no_output_matches_are_signals(tmp_path: Path) -> None:
    path, _ = elman(tmp_path / "net.onnx", outputs=("y",))
    assert as_stream(read_network(path)) is None
    with pytest.raises(StudentError, match="2 inputs: x, h"):
        count_file(path, rate_hz=100)


def _external(model: Any, path: Path) -> None:
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()


def _empty(model: Any, path: Path) -> None:
    for stored in model.graph.initializer:
        stored.ClearField("raw_data")
    onnx.save(model, str(path))


def _inputs(model: Any, path: Path) -> None:
    for stored in model.graph.initializer:
        model.graph.input.append(value(stored.name, tuple(stored.dims)))
    model.graph.ClearField("initializer")
    onnx.save(model, str(path))


@pytest.mark.parametrize("strip", [_external, _empty, _inputs])
def test_a_file_of_shapes_gives_dense_counts(tmp_path: Path, strip: Any) -> None:
    weights = {"k": noise(5, 4, 3), "b": noise(5), "w": noise(40, 3)}
    weights["k"][:2] = 0.0
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["a"], "conv"), helper.make_node("Flatten", ["a"], ["c"], "flat"),
        helper.make_node("MatMul", ["c", "w"], ["y"], "readout"),
    ]  # fmt: skip
    graph = helper.make_graph(nodes, "net", [value("x", (1, 4, 10))], [value("y", (1, 3))],
                              [numpy_helper.from_array(array, name) for name, array in weights.items()])  # fmt: skip
    path = tmp_path / "net.onnx"
    strip(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert set(absent_weights(read_network(path))) == set(weights)
    workload = count_file(path, rate_hz=100)
    assert workload.products is not None
    assert workload.products.dense_full.mean == workload.products.effective.mean == 5 * 8 * 4 * 3 + 40 * 3
    assert "shapes of" in workload.provenance["weights"]
