"""ONNX files with loops and branches: counted as often as they turn, or refused because only the numbers decide."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.interchange import read_network

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, WHOLE, TRUTH = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def value(name: str, shape: tuple[Any, ...] | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def stored(**arrays: Any) -> list[Any]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


Ends = tuple[list[Any], list[Any]]


def saved(path: Path, nodes: list[Any], ends: Ends, tensors: list[Any], version: int = 17) -> Path:
    graph = helper.make_graph(nodes, "net", *ends, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8), str(path))
    return path


def counted(path: Path, signal: torch.Tensor) -> tuple[Workload, np.ndarray]:
    network = read_network(path)
    work = observe(network, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=16)
    with torch.inference_mode():
        return work, network(signal).numpy()


def words(work: Workload) -> int:
    """Return weights, those of one name once."""
    return sum({layer.weights_key: layer.weights for layer in work.layers if layer.weights_key}.values())


W, R = noise(4, 3), noise(3, 3, seed=1)


def recurrence(weights_inside: bool) -> Any:
    """``h <- tanh(x W + h R)``, the state first; weights outside, or constants of the body."""
    held = [
        helper.make_node("Constant", [], [name], f"{name}_", value=numpy_helper.from_array(array, name))
        for name, array in (("w", W), ("r", R)) if weights_inside
    ]  # fmt: skip
    nodes = [
        *held, helper.make_node("MatMul", ["now", "w"], ["a"], "input"),
        helper.make_node("MatMul", ["h", "r"], ["b"], "hidden"), helper.make_node("Add", ["a", "b"], ["c"], "sum"),
        helper.make_node("Tanh", ["c"], ["next"], "tanh"), helper.make_node("Identity", ["next"], ["out"], "copy"),
    ]  # fmt: skip
    ends = [value("h", ("n", 3)), value("now", ("n", 4))], [value("next", ("n", 3)), value("out", ("n", 3))]
    return helper.make_graph(nodes, "body", *ends)


def elman(signal: np.ndarray, back: bool = False) -> np.ndarray:
    state, found = np.zeros((len(signal), 3), np.float32), []
    for now in signal.transpose(1, 0, 2)[:: -1 if back else 1]:
        state = np.tanh(now @ W + state @ R)
        found.append(state)
    return np.stack(found, 1)


def scan(path: Path, steps: Any = 6, weights_inside: bool = False, version: int = 17, **attributes: Any) -> Path:
    """A Scan over the second axis of (examples, steps, 4)."""
    zeros = helper.make_node("Mul", ["first", "zero"], ["start"], "start")
    nodes = [
        helper.make_node("Slice", ["x", "0", "1", "1"], ["cut"], "cut"),
        helper.make_node("Squeeze", ["cut", "1"], ["one"], "one") if version >= 13
        else helper.make_node("Squeeze", ["cut"], ["one"], "one", axes=[1]),
        helper.make_node("Slice", ["one", "0", "3", "1"], ["first"], "first"), zeros,
        helper.make_node(
            "Scan", ["start", "x"], ["last", "y"], "scan", body=recurrence(weights_inside), num_scan_inputs=1,
            scan_input_axes=[1], scan_output_axes=[1], **attributes,
        ),
    ]  # fmt: skip
    tensors = stored(zero=np.float32(0), **{"0": np.array([0]), "1": np.array([1]), "3": np.array([3])})
    tensors += [] if weights_inside else stored(w=W, r=R)
    return saved(path, nodes, ([value("x", ("n", steps, 4))], [value("y", ("n", steps, 3))]), tensors, version)


@pytest.mark.parametrize(("inside", "version"), [(False, 17), (True, 17), (False, 11)])
def test_a_scan_turns_as_often_as_its_input_is_long(tmp_path, inside, version):
    work, found = counted(scan(tmp_path / "net.onnx", weights_inside=inside, version=version), torch.randn(2, 6, 4))
    assert work.complete, work.uncounted
    assert work.products is not None
    assert work.products.dense_full.mean == 6 * (4 * 3 + 3 * 3)
    assert words(work) == 4 * 3 + 3 * 3
    assert sum(layer.state_elements for layer in work.layers) == 3
    assert found.shape == (2, 6, 3)


@pytest.mark.parametrize("back", [False, True])
def test_the_numbers_of_a_scan(tmp_path, back):
    ways = {"scan_input_directions": [1], "scan_output_directions": [0]} if back else {}
    signal = torch.randn(2, 6, 4)
    _, found = counted(scan(tmp_path / "net.onnx", **ways), signal)
    np.testing.assert_allclose(found, elman(signal.numpy(), back), rtol=1e-4, atol=1e-5)


def refused(path: Path) -> str:
    with pytest.raises(StudentError) as found:
        read_network(path)
    return str(found.value)


def test_a_scan_of_open_length_is_refused_by_name(tmp_path):
    said = refused(scan(tmp_path / "net.onnx", steps="t"))
    assert "Scan" in said
    assert "leaves the length of its input open" in said


def loop(path: Path, turns: Any = 5, going: str = "kept") -> Path:
    """``y <- relu(y W)``, W 4 x 4, so many times; each turn's result is given too."""
    ends = {
        "kept": helper.make_node("Identity", ["on"], ["still"], "still"),
        "computed": helper.make_node("Less", ["size", "limit"], ["still"], "still"),
    }
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "w"], ["product"], "product"),
            helper.make_node("Relu", ["product"], ["after"], "relu"),
            helper.make_node("ReduceMax", ["after"], ["size"], "size", keepdims=0), ends[going],
            helper.make_node("Identity", ["after"], ["each"], "each"),
        ],
        "body", [value("turn", (), WHOLE), value("on", (), TRUTH), value("before", ("n", 4))],
        [value("still", (), TRUTH), value("after", ("n", 4)), value("each", ("n", 4))],
        stored(limit=np.float32(9)),
    )  # fmt: skip
    first = [] if turns is not None else [
        helper.make_node("ReduceMax", ["x"], ["top"], "top", keepdims=0),
        helper.make_node("Cast", ["top"], ["turns"], "cast", to=WHOLE),
    ]  # fmt: skip
    nodes = [*first, helper.make_node("Loop", ["turns", "", "x"], ["y", "all"], "loop", body=body)]
    tensors = stored(w=noise(4, 4), **({} if turns is None else {"turns": np.array(turns)}))
    return saved(path, nodes, ([value("x", ("n", 4))], [value("y", ("n", 4))]), tensors)


def test_a_loop_of_stored_turns(tmp_path):
    signal = torch.randn(3, 4)
    work, found = counted(loop(tmp_path / "net.onnx"), signal)
    assert work.complete, work.uncounted
    assert work.products is not None
    assert work.products.dense_full.mean == 5 * 16
    assert words(work) == 16
    wanted = signal.numpy()
    for _ in range(5):
        wanted = np.maximum(wanted @ noise(4, 4), 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"turns": None}, "how often it turns depends on the numbers"),
        ({"going": "computed"}, "when it ends depends on the numbers"),
        ({"turns": 0}, "it turns 0 times"),
        ({"turns": 10**9}, "it turns 1000000000 times"),
    ],
    ids=["computed turns", "computed end", "never", "without end"],
)
def test_a_loop_that_the_numbers_decide_is_refused(tmp_path, options, reason):
    assert reason in refused(loop(tmp_path / "net.onnx", **options))


def branch(path: Path, condition: str) -> Path:
    """A product with 2 columns where the condition holds, and with 5 where it does not."""
    parts = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["x", f"w{size}"], [f"{name}_out"], f"{name}_product")], name, [],
            [value(f"{name}_out", ("n", "m"))], stored(**{f"w{size}": noise(4, size)}),
        )
        for name, size in (("then_branch", 2), ("else_branch", 5))
    }  # fmt: skip
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], "sum", keepdims=0),
        helper.make_node("Greater", ["sum", "limit"], ["computed"], "greater"),
        helper.make_node("If", [condition], ["y"], "if", **parts),
    ]
    tensors = stored(limit=np.float32(0), yes=np.array(True), no=np.array(False))
    return saved(path, nodes, ([value("x", ("n", 4))], [value("y", ("n", "m"))]), tensors)


@pytest.mark.parametrize(("condition", "columns"), [("yes", 2), ("no", 5)])
def test_a_stored_branch_is_the_one_that_runs(tmp_path, condition, columns):
    work, found = counted(branch(tmp_path / "net.onnx", condition), torch.randn(3, 4))
    assert work.products is not None
    assert work.products.dense_full.mean == 4 * columns
    assert found.shape == (3, columns)


def test_a_computed_branch_is_refused(tmp_path):
    assert "which branch runs depends on the numbers" in refused(branch(tmp_path / "net.onnx", "computed"))


def test_loops_in_loops_turn_as_often_as_both(tmp_path):
    inner = helper.make_graph(
        [
            helper.make_node("MatMul", ["b", "w"], ["c"], "product"), helper.make_node("Relu", ["c"], ["d"], "relu"),
            helper.make_node("Identity", ["on2"], ["still2"], "still"),
        ],
        "inner", [value("t2", (), WHOLE), value("on2", (), TRUTH), value("b", ("n", 4))],
        [value("still2", (), TRUTH), value("d", ("n", 4))], stored(w=noise(4, 4)),
    )  # fmt: skip
    outer = helper.make_graph(
        [
            helper.make_node("Loop", ["three", "", "a"], ["e"], "inside", body=inner),
            helper.make_node("Identity", ["on"], ["still"], "still"),
        ],
        "outer", [value("t", (), WHOLE), value("on", (), TRUTH), value("a", ("n", 4))],
        [value("still", (), TRUTH), value("e", ("n", 4))],
    )  # fmt: skip
    path = saved(
        tmp_path / "net.onnx", [helper.make_node("Loop", ["two", "", "x"], ["y"], "outside", body=outer)],
        ([value("x", ("n", 4))], [value("y", ("n", 4))]), stored(two=np.array(2), three=np.array(3)),
    )  # fmt: skip
    work, _ = counted(path, torch.randn(2, 4))
    assert work.products is not None
    assert work.products.dense_full.mean == 2 * 3 * 16
    assert words(work) == 16
